package bench

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// checksOf measures three points in three trials each, with a disturbance of the third trial of the second.
func checksOf(t *testing.T, disturb func(*Usage), info func(*vllmgo.Info)) []Row {
	t.Helper()
	lab := &fakeLab{info: info}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	s.Stopping = FixedTrials(3)
	stub(func() Usage {
		u := Usage{Cores: 1, OtherCores: 0.001}
		if disturb != nil && lab.shape == 2 && lab.ofShape[2] == 5 {
			disturb(&u)
		}
		return u
	})
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
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
		assert.Equal(t, []string{CheckPrompts, CheckCounts, CheckFinish, CheckCache, CheckPreemption, CheckEngine, CheckLoad}, names)
		assert.Equal(t, "ok", checksCell(row))
		assert.Empty(t, row.Notes)
	}
}

func TestChecksFail(t *testing.T) {
	cores := float64(DescribeMachine().Cores)
	for name, c := range map[string]struct {
		disturb func(*Usage)
		check   string
		detail  string
	}{
		"another program": {func(u *Usage) { u.OtherCores = 0.06 * cores }, CheckLoad, "in 1 of 3 trials; at worst others kept"},
		"hypervisor":      {func(u *Usage) { u.Steal = 0.02 }, CheckLoad, "the hypervisor took 2.0 %"},
		"quota":           {func(u *Usage) { u.Throttled = 0.5 }, CheckLoad, "a quota held back 50.0 %"},
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
	assert.Equal(t, Check{Name: CheckPreemption, Detail: "requests may have been preempted: the KV cache holds 300 tokens, the point's peak demand is 512"}, failed[0])
}

func TestCheckEngine(t *testing.T) {
	lab := &fakeLab{}
	nth(lab, 2, 4, broken) // its second trial; the others may have had theirs
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	s.Stopping = FixedTrials(4)
	require.NoError(t, Run(t.Context(), s))
	row := readResults(t, s).Studies[0].Rows[0]
	require.Len(t, row.failedChecks(), 1)
	assert.Equal(t, Check{Name: CheckEngine, Detail: "engine 1 ran the first trial, engine 2 the last"}, row.failedChecks()[0])
}

func TestCheckGPUs(t *testing.T) {
	j := journalOf(preset(t, "full")[:1], []float64{1, 2, 3, 4, 5, 6})
	j.Trials[1].Usage.GPUs = []GPUUsage{{LowClock: 1980, HighClock: 1980}, {Index: 1, Slowed: []string{"power cap", "heat"}, LowClock: 1200, HighClock: 1980}}
	j.Trials[2].Usage.GPUs = []GPUUsage{{LowClock: 1980, HighClock: 1980}}
	rows := NewResults(j).Studies[0].Rows
	assert.Equal(t, []Check{{Name: CheckClocks, Detail: "in 1 of 1 trial a GPU was slowed down by power cap and heat, at worst to 1200 MHz"}}, rows[1].failedChecks())
	assert.Equal(t, Check{Name: CheckClocks, Passed: true}, rows[2].Checks[len(rows[2].Checks)-1])
	j.Engines[0].OtherGPUProcesses = 2
	assert.Equal(t, []Check{{Name: CheckLoad, Detail: "2 processes of others computed on the GPUs before engine 1 was loaded"}}, NewResults(j).Studies[0].Rows[2].failedChecks())
	j.Engines[0].OtherGPUProcesses = 0
	j.Trials[2].Usage.GPUs[0].OtherProcesses = 1
	assert.Equal(t, []Check{{Name: CheckLoad, Detail: "in 1 of 1 trial others computed on a GPU, at worst 1 process"}}, NewResults(j).Studies[0].Rows[2].failedChecks())

	assert.Equal(t, []string{"power cap", "heat"}, slowReasons(nvml.ClocksEventReasonSwPowerCap|nvml.ClocksThrottleReasonHwThermalSlowdown|nvml.ClocksEventReasonGpuIdle))
	assert.Empty(t, slowReasons(nvml.ClocksEventReasonApplicationsClocksSetting))
}

// The load before the first engine counts, that before another has the run's own engine in it.
func TestCheckLoadAverage(t *testing.T) {
	j := journalOf(preset(t, "full")[:1], []float64{1, 2, 3, 4, 5, 6})
	j.Header.Machine.Cores = 4
	for average, want := range map[float64][]Check{
		2:   nil,
		2.1: {{Name: CheckLoad, Detail: "in the minute before engine 1 was loaded, others' load average was 2.10, above 50 % of 4 cores"}},
	} {
		j.Engines[0].OtherLoadAverage = average
		assert.Equal(t, want, NewResults(j).Studies[0].Rows[0].failedChecks())
	}
	j.Engines[0].Number = 2
	for i := range j.Trials {
		j.Trials[i].Engine = 2
	}
	assert.Empty(t, NewResults(j).Studies[0].Rows[0].failedChecks())
}

// Own processes on GPUs are known by their numbers or, in a container that numbers them otherwise, by when they came.
func TestOwnOnGPUs(t *testing.T) {
	before, after := pids{7: true}, pids{7: true, 8: true, 9: true}
	assert.Equal(t, pids{8: true}, ownOnGPUs(before, after, pids{1: true, 8: true}), "9 is another's")
	assert.Equal(t, pids{8: true, 9: true}, ownOnGPUs(before, after, pids{1: true, 2: true}))
	assert.Equal(t, 1, after.without(pids{8: true}, pids{9: true}))
	assert.True(t, descendants()[int32(os.Getpid())])
}

func TestUsageBetween(t *testing.T) {
	u := usageBetween(cpuReading{all: 100, busy: 50, steal: 1, own: 10, throttled: 1}, cpuReading{all: 108, busy: 55, steal: 1.4, own: 13, throttled: 1.5}, 4*time.Second)
	assert.InDelta(t, 0.75, u.Cores, 1e-9)
	assert.InDelta(t, 0.5, u.OtherCores, 1e-9)
	assert.InDelta(t, 0.05, u.Steal, 1e-9)
	assert.InDelta(t, 0.125, u.Throttled, 1e-9)
}

func TestJoulesPerToken(t *testing.T) {
	j := journalOf(preset(t, "full")[:1], []float64{1, 2, 3, 4, 5, 6})
	assert.Zero(t, NewResults(j).Studies[0].Rows[0].JoulesPerToken)
	j.Trials[0].Usage.GPUs = []GPUUsage{{Energy: 100}, {Energy: 28}}
	assert.Equal(t, 2.0, NewResults(j).Studies[0].Rows[0].JoulesPerToken)
}

func TestLoadedGPUs(t *testing.T) {
	const gib = 1 << 30
	gpus, added := loadedGPUs([]int64{gib, 0, 0, 0}, []int64{gib, 3 * gib, 1 << 20, 2 * gib})
	assert.Equal(t, []int{1, 3}, gpus)
	assert.Equal(t, int64(5*gib+1<<20), added)
	gpus, _ = loadedGPUs([]int64{gib, gib}, []int64{gib, gib})
	assert.Equal(t, []int{0, 1}, gpus, "which one is not known")
}

// The real machine's counters move with what this process does.
func TestWatchMachine(t *testing.T) {
	stub(nil)
	stop := watchMachine(nil, nil)
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
	}
	u := stop()
	assert.Greater(t, u.Cores, 0.1)
	assert.Greater(t, u.HostMemory, int64(1<<20))
}
