package report

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
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
	assert.Regexp(t, `│ batch size 8 .*(│ +– ){5}│`, b.String())
}

// A figure that is not known is no 0: neither in a table, nor in a mean, nor in a check.
func TestUnknownUsage(t *testing.T) {
	study := preset(t, "full")[0]
	study.Points = study.Points[:1]
	j := journalOf([]workload.Study{study}, []float64{100})
	j.Header.Machine.Cores = 2
	trial := j.Trials[0]
	j.Trials = nil
	for i, u := range []journal.Usage{
		{Cores: 1.5, OtherCores: 0.01, HostMemory: 3 << 30, GPUs: []journal.GPUUsage{{Memory: 1 << 30, LowClock: 1200, Energy: 64}}},
		{Cores: 1.5, Short: true, HostMemory: 3 << 30, GPUs: []journal.GPUUsage{{Memory: 1 << 30}}}, // too short, and the counter of energy did not move
		{Cores: 1.5, OtherCores: 0.03, Short: false},
		{Cores: 4.28, OtherCores: 1.43, Steal: 0.1, HostMemory: 3 << 30}, // in ticks
	} {
		trial.Trial, trial.Usage = i+1, u
		j.Trials = append(j.Trials, trial)
	}
	r := New(j)
	row := r.Studies[0].Rows[0]
	assert.Empty(t, row.failedChecks())
	assert.Equal(t, 1.0, row.JoulesPerToken)
	assert.Equal(t, 1, row.EnergyTrials)
	var b strings.Builder
	require.NoError(t, r.writeMachineTable(&b, r.Studies[0]))
	assert.Regexp(t, `│ +1.50 \(3 of 4 trials\) │ +0.02 \(2 of 4 trials\) │ +3.00 GiB \(3 of 4 trials\) `+
		`│ 0 % \(2 of 4 trials\) │ 1.00 GiB \(2 of 4 trials\) │ 1200 \(1 of 4 trials\) │ 100 \(1 of 4 trials\) │ 1 \(1 of 4 trials\) │`, b.String())

	for i := range j.Trials {
		j.Trials[i].Usage = journal.Usage{Short: true}
	}
	r = New(j)
	b.Reset()
	require.NoError(t, r.writeMachineTable(&b, r.Studies[0]))
	assert.Regexp(t, `│ batch size 1 │ +0.0 % │ +– │ +– │ +– │`, b.String())
	b.Reset()
	require.NoError(t, r.WriteCSV(&b, r.Studies[0]))
	for header, cell := range csvRow(t, b.String()) {
		if strings.HasPrefix(header, "light") || slices.Contains([]string{"cold_s", "start_up", "joules_per_token"}, header) {
			assert.Empty(t, cell, header)
		}
	}
}

// csvRow returns the first row of a CSV file by its headers.
func csvRow(t *testing.T, text string) map[string]string {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	row := map[string]string{}
	for i, header := range lines[0] {
		row[header] = lines[1][i]
	}
	return row
}
