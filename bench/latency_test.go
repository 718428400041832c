package bench_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/internal/engines"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// timedFake is a fake engine that times its requests: the k-th of a pass waits k ms, has its first
// token after 10 ms more, and one each 5 ms.
type timedFake struct {
	*fake.Engine
	fault func([]journal.RequestTimes) ([]journal.RequestTimes, error)
}

func (e timedFake) Times(g *vllmgo.Generation) ([]journal.RequestTimes, error) {
	var times []journal.RequestTimes
	for k, o := range g.Outputs {
		r := journal.RequestTimes{Queue: time.Duration(k) * time.Millisecond}
		r.TTFT = r.Queue + 10*time.Millisecond
		r.E2E = r.TTFT
		for range len(o.Outputs[0].TokenIDs) - 1 {
			r.ITL = append(r.ITL, 5*time.Millisecond)
			r.E2E += 5 * time.Millisecond
		}
		times = append(times, r)
	}
	if e.fault != nil {
		return e.fault(times)
	}
	return times, nil
}

func (e timedFake) Counters(context.Context) (journal.Counters, error) {
	return journal.Counters{Running: 2, Preemptions: 1, KVUse: 0.5}, nil
}

// latencySettings measure latencies on fakes that time requests when they have statistics, and are
// 10 % slower then.
func latencySettings(t *testing.T, fault func([]journal.RequestTimes) ([]journal.RequestTimes, error)) (bench.Settings, *fake.Lab) {
	lab := &fake.Lab{}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
	s.Latency, s.Resume = true, true
	s.Goodput = journal.Goodput{TTFT: 12 * time.Millisecond, TPOT: 6 * time.Millisecond, E2E: time.Second}
	statistics := false
	lab.Fault = func(_ int, g *vllmgo.Generation) error {
		if statistics {
			g.Elapsed += g.Elapsed / 10
		}
		return nil
	}
	s.Open = func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) {
		engine, err := lab.Open(ctx, args)
		statistics = args.DisableLogStats != nil && !*args.DisableLogStats
		if err != nil || !statistics {
			return engine, err
		}
		return timedFake{engine, fault}, nil
	}
	return s, lab
}

func TestLatency(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, oneEngine := range []bool{false, true} {
		s, lab := latencySettings(t, nil)
		s.OneEngine = oneEngine
		// Each of two groups needs an engine with statistics and one without. The fifth call does
		// nothing.
		for range 5 {
			require.NoError(t, bench.Run(t.Context(), s))
		}
		opened := 0
		for _, event := range lab.Events {
			if strings.HasPrefix(event, "open") {
				opened++
			}
		}
		assert.Equal(t, 4, opened)
		r := readResults(t, s)
		require.True(t, r.Complete())
		for _, row := range rowsOf(r) {
			l := row.Latency
			require.NotNil(t, l)
			assert.Equal(t, engines.LatencyPasses(row.Point)*row.Requests, l.Requests)
			assert.Equal(t, 5*time.Millisecond, l.ITL.P99)
			assert.Equal(t, 5*time.Millisecond, l.TPOT.P50)
			assert.Equal(t, 10*time.Millisecond+l.Queue.P50, l.TTFT.P50)
			assert.Equal(t, 15*time.Millisecond+l.TTFT.P95, l.E2E.P95)
			assert.InDelta(t, 0.1, l.Slowdown, 1e-6)
			assert.Equal(t, []report.Bin{{Low: 3981072, Count: 3 * l.Requests}}, l.ITL.Histogram)
			assert.Len(t, row.Checks, 7, "those of the trials")
		}
		require.NoError(t, r.WriteFiles(s.Dir))
		for _, study := range r.Studies {
			assert.FileExists(t, filepath.Join(s.Dir, study.Study.Name+"-latency.png"))
		}
		l := r.Studies[0].Rows[2].Latency // waits of 0, 1, 2 and 3 ms; the last is too late
		assert.Equal(t, 1500*time.Microsecond, l.Queue.P50)
		assert.Equal(t, 0.75, l.Good)
		assert.InDelta(t, 4*25/(40.48*1.1), l.Running, 1e-6, "four requests of 25 ms in a pass of 40.48 ms and 10 %")
		var b strings.Builder
		require.NoError(t, r.WriteReport(&b))
		assert.Contains(t, b.String(), "│ batch size 4 │       40 │  1.50/3.00/3.00/3.00 │ 11.5/13.0/13.0/13.0 │ 5.00/5.00/5.00/5.00 │ 5.00/5.00/5.00/5.00 │ 26.5/28.0/28.0/28.0 │")
		assert.Contains(t, b.String(), "+10.0 % │")
	}
}

func TestLatencyFails(t *testing.T) {
	for want, fault := range map[string]func([]journal.RequestTimes) ([]journal.RequestTimes, error){
		"the engine does not say its requests' times: the fake engine broke": func([]journal.RequestTimes) ([]journal.RequestTimes, error) { return nil, fake.Err },
		"the engine timed 0 of ": func([]journal.RequestTimes) ([]journal.RequestTimes, error) { return nil, nil },
		"its first token came after 10ms and its last after 9ms": func(times []journal.RequestTimes) ([]journal.RequestTimes, error) {
			times[0].E2E = 9 * time.Millisecond
			return times, nil
		},
	} {
		s, _ := latencySettings(t, fault)
		require.NoError(t, bench.Run(t.Context(), s))
		r := readResults(t, s)
		for _, row := range rowsOf(r) {
			assert.Equal(t, report.Measured, row.Status, "its throughput is measured")
			assert.Nil(t, row.Latency)
			require.Len(t, row.Notes, 1)
			assert.Contains(t, row.Notes[0], want)
			assert.True(t, strings.HasPrefix(row.Notes[0], "no latencies: "))
		}
		assert.False(t, r.Complete())
	}
	s, lab := latencySettings(t, nil)
	s.Open = fake.Opener[bench.Engine](lab)
	require.NoError(t, bench.Run(t.Context(), s))
	assert.Equal(t, []string{"no latencies: the engine does not time its requests"}, rowsOf(readResults(t, s))[0].Notes)
}

// After an error of the engine, or a time-out, the other points' latencies are measured in another
// engine.
func TestLatencyEngineDies(t *testing.T) {
	for want, hang := range map[string]bool{"the fake engine broke": false, "time-out: not done after 50ms": true} {
		s, lab := latencySettings(t, nil)
		open, timing, failed := s.Open, false, false
		s.Open = func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) {
			timing = args.DisableLogStats != nil && !*args.DisableLogStats
			return open(ctx, args)
		}
		fails := func() bool {
			now := timing && !failed
			failed = failed || now
			return now
		}
		if hang {
			s.Timeout = 50 * time.Millisecond
			lab.Block = func(context.Context) bool { return fails() }
		} else {
			slower := lab.Fault
			lab.Fault = func(pass int, g *vllmgo.Generation) error {
				if fails() {
					return fake.Err
				}
				return slower(pass, g)
			}
		}
		require.NoError(t, bench.Run(t.Context(), s))
		rows := rowsOf(readResults(t, s))
		require.Len(t, rows[0].Notes, 1)
		assert.Contains(t, rows[0].Notes[0], want)
		for _, row := range rows[1:] {
			assert.NotNil(t, row.Latency, "%s %s", row.Point, row.Notes)
		}
		opened := 0
		for _, event := range lab.Events {
			if strings.HasPrefix(event, "open") {
				opened++
			}
		}
		assert.Equal(t, 5, opened, "one more than for two groups with and without statistics")
	}
}

// A run that was interrupted between passes repeats none.
func TestLatencyResumes(t *testing.T) {
	s, lab := latencySettings(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	slower := lab.Fault
	calls := 0
	lab.Fault = func(pass int, g *vllmgo.Generation) error {
		if calls++; calls == 40 {
			cancel(errors.New("stopped"))
			return fake.Err
		}
		return slower(pass, g)
	}
	require.Error(t, bench.Run(ctx, s))
	before, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	require.NotEmpty(t, before.Latencies)
	require.NoError(t, bench.Run(t.Context(), s))
	journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	passes := map[workload.PointID]int{}
	for _, l := range journal.Latencies {
		passes[l.PointID]++
		assert.Equal(t, passes[l.PointID], l.Pass)
	}
	assert.True(t, report.New(journal).Complete())
}

func TestCountersAreSampled(t *testing.T) {
	engine := timedFake{Engine: &fake.Engine{Lab: &fake.Lab{}}}
	stop := bench.WatchCounters(t.Context(), engine)
	time.Sleep(5 * bench.CountersInterval)
	counters := stop()
	require.NotEmpty(t, counters)
	assert.Equal(t, 2, counters[0].Running)
	assert.Positive(t, counters[0].At)
}
