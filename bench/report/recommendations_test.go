package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/workload"
)

func TestRecommendations(t *testing.T) {
	studies := preset(t, "full")
	r := New(repeated(journalOf(studies,
		[]float64{100, 190, 340, 520, 700, 800}, // 640, 674, 753, 985, 1463, 2560 ms for 64 tokens
		[]float64{500, 500, 500, 500, 500},
		[]float64{400, 780, 860, 810, 850})))
	require.Len(t, r.Recommendations, 3, "the rows of the sequence lengths are each of their own kind")
	for _, rec := range r.Recommendations {
		assert.Equal(t, "128 input and 64 output tokens", rec.Requests)
	}

	best := r.Recommendations[0]
	assert.Equal(t, "maximum throughput", best.Goal)
	assert.Equal(t, []string{"request count 100"}, best.Rows)
	assert.Equal(t, "request count 100: 860 generated tok/s, the most of 11 rows, not decided against 500: 6 trials, needs about 18.", best.Text)
	assert.Equal(t, "The batch completes in 7.44 s and demands 19200 KV tokens; loading its engine took 9.00 s, 1.50 GiB of host memory and 5.00 GiB of GPU memory.", best.Detail)

	quickest := r.Recommendations[1]
	assert.Equal(t, "lower latency", quickest.Goal)
	assert.Equal(t, []string{"batch size 1", "batch size 4"}, quickest.Rows, "batch size 8 takes 1.54 times as long")
	assert.Equal(t, "batch size 1: 10.0 ms for each token of a request, the least of 11 rows, beyond the 95 % intervals.", quickest.Text)
	assert.Equal(t, "Within 1.5 times that, by the medians, batch size 4 gives 3.4 times the throughput: 11.8 ms a token and 340 generated tok/s.", quickest.Detail)

	leanest := r.Recommendations[2]
	assert.Equal(t, "resource efficiency", leanest.Goal)
	assert.Equal(t, []string{"batch size 32", "request count 100"}, leanest.Rows)
	assert.Equal(t, "batch size 32: demands 6144 KV tokens, the least of the rows with 90 % of the most throughput or more, beyond the 95 % intervals.", leanest.Text)
	assert.Equal(t, "It completes in 2.56 s, with 800 generated tok/s; loading its engine took 9.00 s, 1.50 GiB of host memory and 5.00 GiB of GPU memory."+
		" That is 93 % of request count 100, which demands 19200 KV tokens and completes in 7.44 s.", leanest.Detail)
}

// Rows with requests of other lengths are never compared, whatever their rates.
func TestRecommendationsPoolLikeRowsOnly(t *testing.T) {
	r := New(repeated(journalOf(preset(t, "quick"), []float64{100, 190, 340, 520, 700, 800}, []float64{9000, 9000, 9000, 9000, 9000},
		[]float64{4000, 7800, 8600, 8100, 8500})))
	require.Len(t, r.Recommendations, 6)
	assert.Equal(t, []string{"batch size 32"}, r.Recommendations[0].Rows)
	assert.Equal(t, []string{"request count 100"}, r.Recommendations[3].Rows)
	for _, rec := range r.Recommendations {
		assert.NotContains(t, strings.Join(rec.Rows, " "), "sequence length")
	}
	one, err := workload.NewStudy("one", workload.Point{Requests: 4, InputLen: 8, OutputLen: 4})
	require.NoError(t, err)
	r = New(repeated(journalOf([]workload.Study{one}, []float64{100})))
	assert.Empty(t, r.Recommendations, "a single row is no choice")
	assert.Equal(t, []string{"None: no two rows have requests of the same lengths."}, r.recommendations(true))
}

// A row that may miss the share of the most throughput is not recommended as if it had it.
func TestUndecidedEfficiency(t *testing.T) {
	r := New(repeated(journalOf(preset(t, "full")[:1], []float64{100, 200, 300, 400, 905, 1000})))
	assert.Equal(t, "batch size 16: demands 3072 KV tokens, the least of the rows with 90 % of the most throughput or more, not decided: 6 trials, needs about 79.",
		r.Recommendations[2].Text)
}

func TestRecommendationsWithGaps(t *testing.T) {
	studies := preset(t, "full")[:1]
	r := New(journalOf(studies, []float64{0, 190, -1, 200, 100, 100}))
	require.Len(t, r.Recommendations, 3)
	assert.Equal(t, "batch size 8: 200 generated tok/s, the most of 4 rows, not decided: 1 trial, needs 6.", r.Recommendations[0].Text)
	assert.Equal(t, []string{"batch size 2"}, r.Recommendations[1].Rows)
	assert.Equal(t, "No row has more throughput within 1.5 times that.", r.Recommendations[1].Detail)
	assert.Equal(t, []string{"batch size 2", "batch size 8"}, r.Recommendations[2].Rows)

	none := New(journalOf(studies, make([]float64, 6)))
	assert.Empty(t, none.Recommendations)
	var report strings.Builder
	require.NoError(t, none.WriteReport(&report))
	assert.Contains(t, report.String(), "None: no row was measured.")
	assert.Contains(t, report.String(), "no row has figures")
}
