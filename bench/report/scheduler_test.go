package report

import (
	"bytes"
	"image/png"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// A dip is explained by what the scheduler did, or the finding says that it did nothing unusual.
func TestDipIsExplained(t *testing.T) {
	study := preset(t, "full")[2]
	for want, readings := range map[string][]journal.Counters{
		" The scheduler at request count 200: up to 72 requests waited while max_num_seqs 128 ran, so that 200 sequences went in 2 waves, the last of 72;" +
			" on average 120.0 requests ran, against 100.0 at request count 100.": {
			{Running: 128, Waiting: 72}, {At: time.Second / 2, Running: 128, Waiting: 72}, {At: time.Second, Running: 72}},
		" The scheduler at request count 200: 3 preemptions, after which requests had to start again, against 0 at request count 100, with up to 98 % of the KV cache in use.": {
			{Running: 100, KVUse: 0.98, Preemptions: 4}, {At: time.Second, Running: 99, Waiting: 1, KVUse: 0.9, Preemptions: 7}},
		" The scheduler's counts show nothing unusual at request count 200: 0 preemptions, against 0 at request count 100; 120.0 requests running on average, against 100.0;" +
			" up to 20 % of the KV cache in use.": {{Running: 200, KVUse: 0.2}},
	} {
		j := repeated(journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900}))
		j.Engines[0].Info.MaxNumSeqs = 128
		const dips = "Peak: request count 100, with 1000 generated tok/s, beyond the 95 % intervals. Dips, more than 5 % below the one before, beyond the 95 % intervals: request count 200 (40 % below request count 100)."
		assert.Equal(t, dips, New(j).Studies[0].Finding, "without latencies nothing is known")
		scheduled(j, study.Points[2], 1, journal.Counters{Running: 100})
		scheduled(j, study.Points[3], 0.6, readings...)
		r := New(j)
		assert.Equal(t, dips+want, r.Studies[0].Finding)
		var b bytes.Buffer
		require.NoError(t, r.WriteSchedulerPlot(&b, r.Studies[0]))
		image, err := png.Decode(&b)
		require.NoError(t, err)
		assert.Greater(t, image.Bounds().Dy(), 500)
		require.NoError(t, r.WriteLatencyPlot(&b, r.Studies[0]))
	}
}
