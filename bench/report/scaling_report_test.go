package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
)

func TestScalingOnGPUs(t *testing.T) {
	run := func(size int, rate, last, joules float64) Run {
		j := journalOf(preset(t, "full")[:1], []float64{rate, rate, rate, rate, rate, last})
		j.Engines[0].Args.TensorParallelSize, j.Engines[0].Info.TensorParallelSize = size, size
		j.Header.EngineArgs.TensorParallelSize = size
		for i := range j.Trials {
			for n := range size {
				j.Trials[i].Usage.GPUs = append(j.Trials[i].Usage.GPUs, journal.GPUUsage{Index: n, Memory: int64(10+n) << 30,
					Energy: joules * float64(j.Trials[i].Ledger.OutputTokens)})
			}
		}
		return Run{"tp", New(j)}
	}
	s, err := NewScaling(run(1, 100, 100, 2), run(2, 160, 190, 1.5))
	require.NoError(t, err)
	var report strings.Builder
	require.NoError(t, s.WriteReport(&report))
	assert.Regexp(t, `│ batch size 1 +│ +1 │ +100 │ +– │ +1 │ +1\.00 │ +100 % │ +10\.00 GiB │ +2 │ +9\.00 │ +ok │`, report.String())
	assert.Regexp(t, `│ batch size 1 +│ +2 │ +160 │ +– │ +1 │ +1\.60 │ +80 % │ +11\.00 GiB │ +3 │ +9\.00 │ +ok │`, report.String(), "the fullest GPU, the energy of both")
	assert.Contains(t, report.String(), "\nTP 2: speed-up 1.60 (batch size 1) to 1.90 (batch size 32).\n")
}
