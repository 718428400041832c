package report

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
)

func TestMachineTable(t *testing.T) {
	j := journalOf(preset(t, "full")[:1], []float64{100, 0, 100, 100, 100, 100})
	for i := range j.Trials {
		j.Trials[i].Outside = j.Trials[i].Elapsed / 9
		j.Trials[i].Usage = journal.Usage{Cores: 1.5, OtherCores: 0.25, HostMemory: 3 << 30, GPUs: []journal.GPUUsage{
			{Busy: 0.5, Memory: 1 << 30, LowClock: 1200, Energy: 64},
			{Busy: 0.75, Memory: 2 << 30, LowClock: 1500, Energy: 64},
		}}
	}
	r := New(j)
	var b strings.Builder
	require.NoError(t, r.writeMachineTable(&b, r.Studies[0]))
	assert.Contains(t, b.String(), "│ batch size 1  │         10.0 % │       1.50 │      0.25 │    3.00 GiB │     75 % │   3.00 GiB │   1500 │ 180 │       2 │")
	assert.NotContains(t, b.String(), "speed of light")
	assert.NotContains(t, b.String(), "batch size 2")
	assert.Equal(t, 640*time.Millisecond, r.Studies[0].Rows[0].Elapsed.Value)

	j.Trials[2].Usage.GPUs = nil // which NVML did not find
	r = New(j)
	b.Reset()
	require.NoError(t, r.writeMachineTable(&b, r.Studies[0]))
	assert.Regexp(t, `│ batch size 8 .* │ +0 % │ +0 MiB │ +0 │ +0 │ +0 │`, b.String())
}
