package report

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// noNumber is what a division by zero, or a time that is too long, prints.
var noNumber = regexp.MustCompile(`(?i).{0,80}\b(nan|inf|infinity)\b|-9223372036|_ns": -`)

// Nothing that is computed is infinite or no number, and no file fails, whatever a journal has: the
// least and the greatest times, one request of one token, and usage that is zero or not known.
func TestFiguresOfEverySize(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 60 {
		j := extremeJournal(t, r)
		for _, f := range New(j).files() {
			plot := strings.HasSuffix(f.Name, ".png")
			if plot && i%3 > 0 { // which take most of the time
				continue
			}
			var b bytes.Buffer
			require.NoError(t, f.Write(&b), "%d: %s", i, f.Name)
			if !plot {
				assert.Empty(t, noNumber.FindAllString(b.String(), -1), "%d: %s", i, f.Name)
			}
		}
		other := New(extremeJournal(t, r))
		var b bytes.Buffer
		require.NoError(t, Compare(New(j), other).Write(&b, "first", "second", 80))
		require.NoError(t, WriteSoak(&b, extremeSoak(r)))
		assert.Empty(t, noNumber.FindAllString(b.String(), -1), i)
		if t.Failed() {
			return
		}
	}
}

// extremeSoak returns a soak test with windows of every size.
func extremeSoak(r *rand.Rand) *journal.Soak {
	s := &journal.Soak{}
	ended := 0
	for range extreme(r, 1, 4, 9) {
		ended += extreme(r, 1, 2, 1<<30)
		s.Windows = append(s.Windows, journal.SoakWindow{Requests: ended, Elapsed: extremeTime(r), InputTokens: 1, OutputTokens: extreme(r, 1, 1<<50)})
	}
	return s
}

// extreme returns one of the values at random.
func extreme[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// extremeTime returns a time that a journal may have.
func extremeTime(r *rand.Rand) time.Duration {
	return extreme(r, 1, 999, time.Microsecond, 400*time.Microsecond, 7*time.Millisecond, time.Second, 1<<56)
}

// extremeJournal returns a journal with values of every size.
func extremeJournal(t *testing.T, r *rand.Rand) *journal.Journal {
	study := preset(t, workload.PresetFull)[r.IntN(3)]
	for i := range study.Points {
		p := &study.Points[i]
		p.InputLen, p.OutputLen, p.Requests = extreme(r, 1, 128, 1<<20), extreme(r, 1, 2, 64, 1<<20), extreme(r, 1, 2, 60)
	}
	rates := make([]float64, len(study.Points))
	for i := range rates {
		rates[i] = extreme(r, -1.0, 0, 1, 1, 1)
	}
	j := journalOf([]workload.Study{study}, rates)
	j.Header.Machine.Cores = extreme(r, 0, 1, 2, 256)
	j.Header.Cold = r.IntN(2) == 0
	if r.IntN(2) == 0 {
		j.Header.Goodput = journal.Goodput{TTFT: 1, TPOT: extremeTime(r)}
	}
	if r.IntN(2) == 0 {
		rate := func() float64 { return extreme(r, 1, 1e9, 1e24) }
		j.Limits = &journal.Limits{Bandwidth: rate(), FLOPS: rate()}
		j.Header.ModelSize = &journal.ModelSize{Layers: extreme(r, 1, int64(1<<40)), Head: 1}
		j.Header.ModelConfig = vllmgo.ModelConfig{NumLayers: 1, NumKVHeads: 1, HeadDim: 64, NumAttentionHeads: 1, DtypeBytes: 2}
	}
	e := &j.Engines[0]
	e.Args.MaxNumSeqs, e.Args.MaxNumBatchedTokens, e.Info.MaxNumSeqs = extreme(r, 1, 256), 2048, 256
	e.LoadTime, e.HostMemory = extremeTime(r), extreme(r, 0, 1, int64(1<<50))
	first := j.Trials
	j.Trials = nil
	for _, trial := range first {
		for n := range extreme(r, 1, 2, 7) {
			trial.Trial, trial.Elapsed, trial.Outside = n+1, extremeTime(r), extreme(r, 0, extremeTime(r))
			trial.Usage = extremeUsage(r)
			j.Trials = append(j.Trials, trial)
		}
		if r.IntN(2) == 0 {
			j.WarmUps = append(j.WarmUps, journal.WarmUp{PointID: trial.PointID, Engine: 1, Single: 1, Passes: []time.Duration{extremeTime(r)}})
		}
		for _, p := range study.Points {
			if p.ID() == trial.PointID && r.IntN(2) == 0 {
				j.Latencies = append(j.Latencies, extremePass(r, p))
			}
		}
	}
	return j
}

// extremeUsage returns usage with values of every size.
func extremeUsage(r *rand.Rand) journal.Usage {
	u := journal.Usage{
		Cores: extreme(r, 0, 1e-9, 2, 1e6), OtherCores: extreme(r, 0, 1e-9, 300), Steal: extreme(r, 0.0, 1), Throttled: extreme(r, 0.0, 1),
		HostMemory: extreme(r, 0, 1, int64(1<<50)), Short: r.IntN(2) == 0,
	}
	for range r.IntN(3) {
		u.GPUs = append(u.GPUs, journal.GPUUsage{Busy: extreme(r, 0.0, 1), Memory: extreme(r, 0, 1, int64(1<<40)),
			Energy: extreme(r, 0, 1e-3, 1e12), LowClock: extreme(r, 0, 1980)})
	}
	return u
}

// extremePass returns a latency pass of a point with values of every size.
func extremePass(r *rand.Rand, p workload.Point) journal.LatencyPass {
	pass := journal.LatencyPass{PointID: p.ID(), Pass: 1, Engine: 1, Elapsed: extremeTime(r), Usage: extremeUsage(r)}
	for range p.Requests {
		ttft := extremeTime(r)
		times := journal.RequestTimes{Queue: extreme(r, 0, ttft), TTFT: ttft, E2E: ttft}
		if p.OutputLen > 1 {
			gap := extremeTime(r)
			times.E2E, times.ITL = ttft+gap, []time.Duration{gap, 0}
		}
		pass.Requests = append(pass.Requests, times)
	}
	for i := range r.IntN(3) {
		pass.Counters = append(pass.Counters, journal.Counters{At: time.Duration(i) * extremeTime(r), Running: extreme(r, 0, 1<<40), Preemptions: i})
	}
	return pass
}
