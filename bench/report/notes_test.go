package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/workload"
)

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

// What a median hides is noted: outliers, a drift, a dependence, several modes.
func TestTimesAreNoted(t *testing.T) {
	notes := func(seconds ...int) []string {
		study := preset(t, "full")[0]
		study.Points = study.Points[:1]
		j := journalOf([]workload.Study{study}, []float64{1})
		trial := j.Trials[0]
		j.Trials = nil
		for i, s := range seconds {
			trial.Trial, trial.Elapsed = i+1, time.Duration(s)*time.Second
			j.Trials = append(j.Trials, trial)
		}
		return New(j).Studies[0].Rows[0].Notes
	}
	assert.Empty(t, notes(100, 102, 99, 101, 98, 103))
	assert.Equal(t, []string{"outlier: trial 3 took 200.0 s, +98 % against the median"}, notes(100, 102, 200, 99, 101, 98, 103))
	assert.Equal(t, []string{
		"drift: the time changed by +5.8 % from the first trial to the last (Mann-Kendall, p = 0.0004)",
		"trials depend on the ones before (rank correlation 0.71): 7 say as much as 1 trial would if independent, and the interval is as wide",
	}, notes(100, 101, 102, 103, 104, 105, 107))
	assert.Equal(t, []string{
		"trials depend on the ones before (rank correlation 0.68): 15 say as much as 1 trial would if independent, and the interval is as wide",
	}, notes(100, 101, 103, 104, 103, 102, 100, 99, 98, 100, 101, 103, 100, 99, 98))
	assert.Equal(t, []string{"the times have more than one mode (Hartigans' dip 0.17, p = 0.0065)"},
		notes(72, 120, 74, 118, 81, 80, 125, 73, 119, 77))
}
