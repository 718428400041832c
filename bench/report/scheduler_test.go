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

// scheduled adds a latency pass of one second to a journal, in which all requests run for a share of it, and readings.
func scheduled(j *journal.Journal, p workload.Point, share float64, counters ...journal.Counters) {
	pass := journal.LatencyPass{PointID: p.ID(), Engine: 1, Elapsed: time.Second, Counters: counters}
	for range p.Requests {
		pass.Requests = append(pass.Requests, journal.RequestTimes{
			TTFT: time.Millisecond, E2E: time.Duration(share * float64(time.Second)), ITL: []time.Duration{time.Millisecond, time.Minute},
		})
	}
	j.Latencies = append(j.Latencies, pass)
}

// A dip is explained by what the scheduler did, or the finding says that it did nothing unusual.
func TestDipIsExplained(t *testing.T) {
	study := preset(t, "full")[2]
	for want, readings := range map[string][]journal.Counters{
		" The scheduler at 200: up to 72 requests waited while max_num_seqs 128 ran, so that 200 sequences went in 2 waves, the last of 72;" +
			" on average 120.0 requests ran, against 100.0 at 100.": {
			{Running: 128, Waiting: 72}, {At: time.Second / 2, Running: 128, Waiting: 72}, {At: time.Second, Running: 72}},
		" The scheduler at 200: 3 preemptions, after which requests had to start again, against 0 at 100, with up to 98 % of the KV cache in use.": {
			{Running: 100, KVUse: 0.98, Preemptions: 4}, {At: time.Second, Running: 99, Waiting: 1, KVUse: 0.9, Preemptions: 7}},
		" The scheduler's counts show nothing unusual at 200: 0 preemptions, against 0 at 100; 120.0 requests running on average, against 100.0;" +
			" up to 20 % of the KV cache in use.": {{Running: 200, KVUse: 0.2}},
	} {
		j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
		j.Engines[0].Info.MaxNumSeqs = 128
		const dips = "Peak: request count 100, with 1000 generated tok/s. Dips, more than 5 % below the row before, beyond the intervals: 200 (40 % below 100)."
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

// A pass that was disturbed does not stand for the others.
func TestPassOfMedianTime(t *testing.T) {
	study := preset(t, "full")[2]
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
	for i, seconds := range []time.Duration{7, 1, 2} {
		scheduled(j, study.Points[2], 1, journal.Counters{Running: i + 1})
		j.Latencies[i].Elapsed = seconds * time.Second
	}
	l := New(j).Studies[0].Rows[2].Latency
	assert.Equal(t, 50.0, l.Running, "100 requests of a second in two")
	assert.Equal(t, []journal.Counters{{Running: 3}}, l.Counters)
}

// What is within the intervals is no dip.
func TestNoDipWithinIntervals(t *testing.T) {
	study := preset(t, "full")[2]
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 900, 1000})
	for _, trial := range j.Trials[2:4] {
		trial.Trial = 2
		trial.Elapsed += trial.Elapsed / 4
		j.Trials = append(j.Trials, trial)
	}
	assert.Contains(t, New(j).Studies[0].Finding, "No dips")
}

func TestNothingToPlot(t *testing.T) {
	r := New(journalOf(preset(t, "full")[2:], []float64{300, 800, 1000, 600, 900}))
	assert.ErrorContains(t, r.WriteSchedulerPlot(&bytes.Buffer{}, r.Studies[0]), "no scheduler counts")
	assert.ErrorContains(t, r.WriteLatencyPlot(&bytes.Buffer{}, r.Studies[0]), "no latencies")
}

// Requests of one token have no gaps between tokens.
func TestLatencyPlotOfSingleTokens(t *testing.T) {
	study := preset(t, "full")[2]
	for i := range study.Points {
		study.Points[i].OutputLen = 1
	}
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
	scheduled(j, study.Points[2], 1)
	for i := range j.Latencies[0].Requests {
		j.Latencies[0].Requests[i].ITL = nil
	}
	r := New(j)
	require.NoError(t, r.WriteLatencyPlot(&bytes.Buffer{}, r.Studies[0]))
}

// Load of others while latencies are measured is noted.
func TestLoadDuringLatencies(t *testing.T) {
	study := preset(t, "full")[2]
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
	scheduled(j, study.Points[2], 1)
	scheduled(j, study.Points[2], 1)
	j.Latencies[1].Usage.OtherCores = 0.5
	row := New(j).Studies[0].Rows[2]
	assert.Equal(t, []string{"other load while latencies were measured: in 1 of 2 latency passes; at worst others kept 0.50 cores busy, the hypervisor took 0.0 %, a quota held back 0.0 %"}, row.Notes)
	assert.Empty(t, row.failedChecks(), "the trials were undisturbed")
}
