package report

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
)

// noisyRun returns the results of a study of so many points, whose times have a machine's noise and
// a slowdown.
func noisyRun(points int, seed uint64, slowdown float64) *Results {
	study := workload.Study{Name: "many", Parameter: "number", Unit: "points", MaxNumBatchedTokens: 1024, MaxNumSeqs: 8}
	rates := make([]float64, points)
	for i := range points {
		rates[i] = 100
		study.Points = append(study.Points, workload.Point{Study: study.Name, Value: i + 1, Requests: 1, InputLen: 2, OutputLen: 1 + i%4})
	}
	j := journalOf([]workload.Study{study}, rates)
	exact, r := j.Trials, rand.New(rand.NewPCG(seed, 0))
	j.Trials, j.Header.Stopping = nil, stat.FixedTrials(20)
	for trial := range 20 {
		for _, t := range exact {
			t.Trial, t.Elapsed = trial+1, time.Duration(slowdown*float64(fake.Times(r, 1, t.Elapsed)[0]))
			j.Trials = append(j.Trials, t)
		}
	}
	return New(j)
}

// Two whole runs of one engine differ in at most 5 % of 200 comparisons, and a third of an engine
// that is 3 % slower is found to be.
func TestCompareRuns(t *testing.T) {
	first := noisyRun(200, 1, 1)
	differ := func(second *Results) (slower, faster int) {
		c := Compare(first, second)
		require.Len(t, c.Points, 200)
		assert.Empty(t, c.Notes, "so many points show that trials are independent")
		for _, p := range c.Points {
			switch {
			case p.Differ && p.Ratio > 1:
				slower++
			case p.Differ:
				faster++
			}
			assert.Equal(t, p.Differ, p.Low > 1 || p.High < 1, "the interval and the test agree")
		}
		return slower, faster
	}
	slower, faster := differ(noisyRun(200, 2, 1))
	t.Logf("equal runs: %d of 200 points differ", slower+faster)
	assert.LessOrEqual(t, slower+faster, 10)
	slower, faster = differ(noisyRun(200, 3, 1.03))
	t.Logf("3 %% slower: %d of 200 points are found to be slower", slower)
	assert.GreaterOrEqual(t, slower, 190)
	assert.Zero(t, faster)
}

func TestCompareRunsNotes(t *testing.T) {
	full := preset(t, "full")[:1]
	a := journalOf(full, []float64{100, 0, 100, 100, 100, 100})
	b := journalOf(preset(t, "quick")[:1], []float64{100, 100, 100, 100, 100, 100})
	b.Header.Studies[0].Points[0] = full[0].Points[0]
	a.Header.Machine, b.Header.Machine = journal.Machine{CPU: "a CPU", OS: "linux", Go: "go"}, journal.Machine{CPU: "another", OS: "linux", Go: "go"}
	b.Engines[0].Info.Dtype = "float32"
	b.Engines[0].Info.KVCacheTokens = 1
	b.Trials[0].Ledger.PromptsSHA256 = "another"
	c := Compare(New(a), New(b))
	require.Len(t, c.Points, 1, "batch size 1 alone is the same work")
	assert.Equal(t, []string{
		`machine.cpu: "a CPU" in the first run, "another" in the second`,
		`engine.info.dtype: "float16" in the first run, "float32" in the second`,
		"engine.info.kv_cache_tokens: 1048576 in the first run, 1 in the second",
		`study.scaled: not set in the first run, "16 output tokens a request instead of 64" in the second`,
		"points that failed a check, so that what differs may be the machine: batch size 1 (preemption)",
		"points whose prompts differ: batch size 1",
	}, c.Notes[:6])
	assert.Contains(t, c.Notes[6], "without a match in the other run: batch size 2, batch size 4")
	var text strings.Builder
	require.NoError(t, c.Write(&text, "first", "second", 80))
	assert.Contains(t, text.String(), "│ batch size 1 │")
	assert.Contains(t, text.String(), "too few trials │")
	assert.Contains(t, text.String(), "Note: points whose prompts differ: batch size 1.\n")
	assert.Equal(t, "3.0 % slower", verdict(stat.Comparison{Ratio: 1.03, Low: 1.01, High: 1.05, Differ: true}))
	assert.Equal(t, "3.0 % faster", verdict(stat.Comparison{Ratio: 0.97, Low: 0.95, High: 0.99, Differ: true}))
}

// The same lengths have the same text, however a point has them.
func TestLengthsText(t *testing.T) {
	length := workload.RequestLength{Input: 8, Output: 4}
	alike := workload.Point{Requests: 3, InputLen: 8, OutputLen: 4}
	listed := workload.Point{Requests: 3, Lengths: []workload.RequestLength{length, length, length}}
	mixed := workload.Point{Requests: 3, Lengths: []workload.RequestLength{length, {Input: 8, Output: 5}, length}}
	assert.Equal(t, lengthsText(alike), lengthsText(listed))
	assert.NotEqual(t, lengthsText(alike), lengthsText(mixed))
	assert.Equal(t, "1 {8 4}1 {8 5}1 {8 4}", lengthsText(mixed))
}
