package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRecommendations(t *testing.T) {
	studies := preset(t, "full")
	r := New(journalOf(studies,
		[]float64{100, 190, 340, 520, 700, 800}, // 640, 674, 753, 985, 1463, 2560 ms for 64 tokens
		[]float64{500, 500, 500, 500, 500},
		[]float64{400, 780, 860, 810, 850}))
	require.Len(t, r.Recommendations, 3)

	best := r.Recommendations[0]
	assert.Equal(t, "maximum throughput", best.Goal)
	assert.Equal(t, []string{"request count 100"}, best.Rows)
	assert.Equal(t, "request count 100 (100 requests of 128 input and 64 output tokens): 860 generated tok/s, the most of all 16 rows."+
		" The batch completes in 7.44 s and demands 19200 KV tokens; loading its engine took 9.00 s, 1.50 GiB of host memory and 5.00 GiB of GPU memory.", best.Text)

	quickest := r.Recommendations[1]
	assert.Equal(t, "lower latency", quickest.Goal)
	assert.Equal(t, []string{"batch size 1", "batch size 4"}, quickest.Rows, "batch size 8 takes 1.54 times as long")
	assert.Equal(t, "batch size 1 (1 request of 128 input and 64 output tokens): completes in 0.640 s, 10.0 ms for each token of a request, the least of the 6 rows that differ in batch size only."+
		" Within 1.5 times that, batch size 4 gives 3.4 times the throughput: 11.8 ms a token and 340 generated tok/s.", quickest.Text)

	leanest := r.Recommendations[2]
	assert.Equal(t, "resource efficiency", leanest.Goal)
	assert.Equal(t, []string{"batch size 32", "request count 100"}, leanest.Rows)
	assert.Equal(t, "batch size 32 (32 requests of 128 input and 64 output tokens): demands 6144 KV tokens and completes in 2.56 s;"+
		" loading its engine took 9.00 s, 1.50 GiB of host memory and 5.00 GiB of GPU memory."+
		" Of the rows with at least 90 % of the most throughput it demands the least: 800 generated tok/s, 93 % of request count 100, which demands 19200 KV tokens and completes in 7.44 s.", leanest.Text)
}

func TestRecommendationsWithGaps(t *testing.T) {
	studies := preset(t, "full")[:1]
	r := New(journalOf(studies, []float64{0, 190, -1, 200, 100, 100}))
	require.Len(t, r.Recommendations, 3)
	assert.Contains(t, r.Recommendations[0].Text, "batch size 8 (8 requests")
	assert.Contains(t, r.Recommendations[0].Text, "the most of the 4 rows that have figures")
	assert.Equal(t, []string{"batch size 2"}, r.Recommendations[1].Rows)
	assert.Contains(t, r.Recommendations[1].Text, "No row of its study gives more throughput within 1.5 times that.")
	assert.Equal(t, []string{"batch size 2", "batch size 8"}, r.Recommendations[2].Rows)

	one := New(journalOf(studies, []float64{0, 190, 0, 0, 0, 0}))
	assert.Contains(t, one.Recommendations[2].Text, "it demands the least: 190 generated tok/s, which is the most.")

	none := New(journalOf(studies, make([]float64, 6)))
	assert.Empty(t, none.Recommendations)
	var report strings.Builder
	require.NoError(t, none.WriteReport(&report))
	assert.Contains(t, report.String(), "None: no row was measured.")
	assert.Contains(t, report.String(), "no row has figures")
}
