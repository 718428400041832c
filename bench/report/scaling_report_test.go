package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// A size whose points failed has a row without figures among rows that have the memory of GPUs.
func TestScalingOnGPUsWithoutFigures(t *testing.T) {
	var runs []ScalingRun
	for i, rates := range [][]float64{{100, 200}, {0, 300}, {300, 0}} {
		study := preset(t, "full")[0]
		study.Points = study.Points[:2]
		j := journalOf([]workload.Study{study}, rates)
		j.Header.EngineArgs.TensorParallelSize = 1 << i
		for k := range j.Trials {
			j.Trials[k].Usage.GPUs = []journal.GPUUsage{{Memory: 10 << 30}}
		}
		runs = append(runs, ScalingRun{fmt.Sprint("tp", 1<<i), New(j)})
	}
	s, err := NewScaling(runs...)
	require.NoError(t, err)
	var report strings.Builder
	require.NoError(t, s.WriteReport(&report))
	assert.Regexp(t, `│ batch size 1 +│ +2 │ +failed │ +– │ +0 │ +– │ +– │ +– │ +– │ +– │`, report.String())
	assert.Regexp(t, `│ batch size 1 +│ +4 │ +300 │ +– │ +1 │ +3\.00 │ +75 % │ +10\.00 GiB │ +9\.00 │ +ok │`, report.String())
}

func TestScalingOnGPUs(t *testing.T) {
	run := func(size int, rate, last, joules float64) ScalingRun {
		j := journalOf(preset(t, "full")[:1], []float64{rate, rate, rate, rate, rate, last})
		j.Engines[0].Args.TensorParallelSize, j.Engines[0].Info.TensorParallelSize = size, size
		j.Header.EngineArgs.TensorParallelSize = size
		for i := range j.Trials {
			for n := range size {
				j.Trials[i].Usage.GPUs = append(j.Trials[i].Usage.GPUs, journal.GPUUsage{Index: n, Memory: int64(10+n) << 30,
					Energy: joules * float64(j.Trials[i].Ledger.OutputTokens)})
			}
		}
		return ScalingRun{"tp", New(j)}
	}
	s, err := NewScaling(run(1, 100, 100, 2), run(2, 160, 190, 1.5))
	require.NoError(t, err)
	var report strings.Builder
	require.NoError(t, s.WriteReport(&report))
	assert.Regexp(t, `│ batch size 1 +│ +1 │ +100 │ +– │ +1 │ +1\.00 │ +100 % │ +10\.00 GiB │ +2 │ +9\.00 │ +ok │`, report.String())
	assert.Regexp(t, `│ batch size 1 +│ +2 │ +160 │ +– │ +1 │ +1\.60 │ +80 % │ +11\.00 GiB │ +3 │ +9\.00 │ +ok │`, report.String(), "the fullest GPU, the energy of both")
	assert.Contains(t, report.String(), "\nTP 2: speed-up 1.60 (batch size 1) to 1.90 (batch size 32).\n")
}
