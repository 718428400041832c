package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// checksOf measures three points in three trials each, with a disturbance of the third trial of the
// second.
func checksOf(t *testing.T, disturb func(*journal.Usage), info func(*vllmgo.Info)) []Row {
	t.Helper()
	lab := &fake.Lab{Info: info}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Stopping = stat.FixedTrials(3)
	machine.Stub(func() journal.Usage {
		u := journal.Usage{Cores: 1, OtherCores: 0.001}
		if disturb != nil && lab.Shape == 2 && lab.OfShape[2] == 5 {
			disturb(&u)
		}
		return u
	})
	require.NoError(t, bench.Run(t.Context(), s))
	r := resultsOf(t, s)
	var b bytes.Buffer
	require.NoError(t, r.WritePlot(&b, r.Studies[0]))
	return r.Studies[0].Rows
}

func TestChecksPass(t *testing.T) {
	for _, row := range checksOf(t, nil, nil) {
		var names []string
		for _, c := range row.Checks {
			assert.True(t, c.Passed, "%+v", c)
			names = append(names, c.Name)
		}
		assert.Equal(t, []string{journal.CheckPrompts, journal.CheckCounts, journal.CheckFinish, journal.CheckCache, journal.CheckPreemption, journal.CheckEngine, journal.CheckLoad}, names)
		assert.Equal(t, "ok", checksCell(row))
		assert.Empty(t, row.Notes)
	}
}

func TestChecksFail(t *testing.T) {
	cores := float64(machine.Describe().Cores)
	for name, c := range map[string]struct {
		disturb func(*journal.Usage)
		check   string
		detail  string
	}{
		"another program": {func(u *journal.Usage) { u.OtherCores = 0.06 * cores }, journal.CheckLoad, "in 1 of 3 trials; at worst others kept"},
		"hypervisor":      {func(u *journal.Usage) { u.Steal = 0.02 }, journal.CheckLoad, "the hypervisor took 2.0 %"},
		"quota":           {func(u *journal.Usage) { u.Throttled = 0.5 }, journal.CheckLoad, "a quota held back 50.0 %"},
	} {
		t.Run(name, func(t *testing.T) {
			rows := checksOf(t, c.disturb, nil)
			failed := rows[1].failedChecks()
			require.Len(t, failed, 1)
			assert.Equal(t, c.check, failed[0].Name)
			assert.Contains(t, failed[0].Detail, c.detail)
			assert.Equal(t, []string{"check \"" + c.check + "\" failed: " + failed[0].Detail}, rows[1].Notes)
			assert.Equal(t, "1 failed", checksCell(rows[1]))
			assert.Equal(t, Measured, rows[1].Status, "marked, not hidden")
			assert.Empty(t, rows[0].failedChecks())
			assert.Empty(t, rows[2].failedChecks())
		})
	}
}

func TestCheckPreemption(t *testing.T) {
	rows := checksOf(t, nil, func(info *vllmgo.Info) { info.KVCacheTokens = 300 })
	assert.Empty(t, rows[1].failedChecks())
	failed := rows[2].failedChecks()
	require.Len(t, failed, 1)
	assert.Equal(t, Check{Name: journal.CheckPreemption, Detail: "requests may have been preempted: the KV cache holds 300 tokens, the point's peak demand is 512"}, failed[0])
}

func TestCheckEngine(t *testing.T) {
	lab := &fake.Lab{}
	fake.Nth(lab, 2, 4, fake.Broken) // its second trial; the others may have had theirs
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Stopping = stat.FixedTrials(4)
	require.NoError(t, bench.Run(t.Context(), s))
	row := resultsOf(t, s).Studies[0].Rows[0]
	require.Len(t, row.failedChecks(), 1)
	assert.Equal(t, Check{Name: journal.CheckEngine, Detail: "engine 1 ran the first trial, engine 2 the last"}, row.failedChecks()[0])
}

func TestCheckGPUs(t *testing.T) {
	j := journalOf(preset(t, "full")[:1], []float64{1, 2, 3, 4, 5, 6})
	j.Trials[1].Usage.GPUs = []journal.GPUUsage{{LowClock: 1980, HighClock: 1980}, {Index: 1, Slowed: []string{"power cap", "heat"}, LowClock: 1200, HighClock: 1980}}
	j.Trials[2].Usage.GPUs = []journal.GPUUsage{{LowClock: 1980, HighClock: 1980}}
	rows := New(j).Studies[0].Rows
	assert.Equal(t, []Check{{Name: journal.CheckClocks, Detail: "in 1 of 1 trial a GPU was slowed down by power cap and heat, at worst to 1200 MHz"}}, rows[1].failedChecks())
	assert.Equal(t, Check{Name: journal.CheckClocks, Passed: true}, rows[2].Checks[len(rows[2].Checks)-1])
	j.Engines[0].OtherGPUProcesses = 2
	assert.Equal(t, []Check{{Name: journal.CheckLoad, Detail: "2 processes of others computed on the GPUs before engine 1 was loaded"}}, New(j).Studies[0].Rows[2].failedChecks())
	j.Engines[0].OtherGPUProcesses = 0
	j.Trials[2].Usage.GPUs[0].OtherProcesses = 1
	assert.Equal(t, []Check{{Name: journal.CheckLoad, Detail: "in 1 of 1 trial others computed on a GPU, at worst 1 process"}}, New(j).Studies[0].Rows[2].failedChecks())
}

// The load before the first engine counts where trials are too short to tell: a set-up that has
// just ended is in it too. That before another engine has the run's own engine in it.
func TestCheckLoadAverage(t *testing.T) {
	j := journalOf(preset(t, "full")[:1], []float64{1, 2, 3, 4, 5, 6})
	j.Header.Machine.Cores = 4
	j.Engines[0].OtherLoadAverage = 4
	assert.Empty(t, New(j).Studies[0].Rows[0].failedChecks(), "the trial saw that nobody else was there")
	for i := range j.Trials {
		j.Trials[i].Usage.Short = true
	}
	for average, want := range map[float64][]Check{
		2:   nil,
		2.1: {{Name: journal.CheckLoad, Detail: "in the minute before engine 1 was loaded, others' load average was 2.10, above 50 % of 4 cores"}},
	} {
		j.Engines[0].OtherLoadAverage = average
		assert.Equal(t, want, New(j).Studies[0].Rows[0].failedChecks())
	}
	j.Engines[0].Number = 2
	for i := range j.Trials {
		j.Trials[i].Engine = 2
	}
	assert.Empty(t, New(j).Studies[0].Rows[0].failedChecks())
}
