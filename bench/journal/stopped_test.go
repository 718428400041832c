package journal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// The reason is that of the journal. Only rules of earlier versions are applied to the trials.
func TestStopped(t *testing.T) {
	p := workload.PointID{Study: "batch-size", Value: 1}
	of := func(rule stat.Stopping, trials int, last stat.StopReason) *journal.Journal {
		j := &journal.Journal{Header: journal.Header{Stopping: rule}}
		for i := range trials {
			j.Trials = append(j.Trials, journal.Trial{PointID: p, Trial: i + 1, Elapsed: time.Second})
		}
		j.Trials[trials-1].Stopped = last
		j.Trials = append(j.Trials, journal.Trial{PointID: workload.PointID{Study: "batch-size", Value: 2}, Stopped: stat.MostTrials})
		return j
	}
	now := stat.UntilPrecise(0.02, 0)
	cautious := now
	cautious.Pooled = false
	plain := cautious
	plain.Dependence = false
	assert.Empty(t, of(now, 40, "").Stopped(p))
	assert.Equal(t, stat.TargetIfIndependent, of(now, 7, stat.TargetIfIndependent).Stopped(p))
	assert.Empty(t, of(cautious, 8, "").Stopped(p))
	assert.Equal(t, stat.TargetReached, of(cautious, 9, "").Stopped(p))
	assert.Empty(t, of(plain, 5, "").Stopped(p))
	assert.Equal(t, stat.TargetReached, of(plain, 6, "").Stopped(p))

	j := of(now, 3, "")
	j.OutOfBudget = append(j.OutOfBudget, p)
	assert.Equal(t, stat.BudgetSpent, j.Stopped(p))
	j.Failures = append(j.Failures, journal.Failure{Point: &p, Latency: true})
	assert.Equal(t, stat.BudgetSpent, j.Stopped(p), "its throughput did not fail")
	j.Failures = append(j.Failures, journal.Failure{Point: &p})
	assert.Equal(t, stat.TrialFailed, j.Stopped(p))
}
