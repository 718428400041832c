package stat

import (
	"errors"
	"fmt"
	"time"
)

// Stopping is the rule for how often points are measured. A point has MinTrials trials, and
// then further ones until the 95 % interval of its median is within Target, or it has MaxTrials.
// A trial that would end after the budget is spent does not begin, unless it is the point's first.
//
// The rule looks at the interval after each trial and stops when it is narrow. The interval then
// covers the true median less often than in 95 % of runs; docs/benchmarking.md says how often.
type Stopping struct {
	// Target is the precision to reach, as a fraction of the median; see [Estimate.Precision]. 0
	// means that the interval does not matter.
	Target float64 `json:"target"`
	// Dependence makes the interval that the rule looks at as wide as that of
	// [Dependence].Independent trials, whether a dependence is seen or not: few trials show none.
	// The rules of earlier versions do not have it.
	Dependence bool `json:"dependence,omitempty"`
	// Pooled takes the dependence from all points that share an engine, in the rule and in the
	// report. Journals of such a rule say why a point has no more trials. The rules of earlier
	// versions do not have it.
	Pooled bool `json:"pooled,omitempty"`
	// MinTrials and MaxTrials are the least and the greatest number of a point's trials.
	MinTrials int `json:"min_trials"`
	MaxTrials int `json:"max_trials"`
	// Budget is the time for the whole run, loading and warm-up included. Engines share it by what
	// they have to compute. 0 means no limit.
	Budget time.Duration `json:"budget_ns"`
}

// DefaultTarget is the default precision, as a fraction of the median.
const DefaultTarget = 0.02

// FixedTrials returns the rule that measures each point n times.
func FixedTrials(n int) Stopping { return Stopping{Pooled: true, MinTrials: n, MaxTrials: n} }

// UntilPrecise returns the rule that measures each point 6 to 50 times, until the interval is
// within target. It measures less often when the budget is spent.
func UntilPrecise(target float64, budget time.Duration) Stopping {
	return Stopping{
		Target: target, Dependence: true, Pooled: true, MinTrials: 6, MaxTrials: 50, Budget: budget,
	}
}

// Validate returns an error that describes what is wrong with the rule; nil when nothing is.
func (s Stopping) Validate() error {
	switch {
	case s.MinTrials < 1 || s.MaxTrials < s.MinTrials:
		return fmt.Errorf("bench: Stopping asks for %d to %d trials", s.MinTrials, s.MaxTrials)
	case !(s.Target >= 0):
		return fmt.Errorf("bench: Stopping.Target is %v", s.Target)
	case s.Budget < 0:
		return errors.New("bench: Stopping.Budget is negative")
	}
	return nil
}

// StopReason is the reason why a point has no more trials.
type StopReason string

const (
	// TargetReached means that the interval is within the target.
	TargetReached StopReason = "target reached"
	// TargetIfIndependent means that the interval is within the target, and that there were too few
	// trials of all points on the engine to show whether trials depend on the ones before; see
	// [Dependence.Telling]. If they do, the interval covers the true median too seldom.
	TargetIfIndependent StopReason = "target reached if trials are independent"
	// MostTrials means that the point has MaxTrials trials.
	MostTrials StopReason = "most trials reached"
	// BudgetSpent means that another trial would have exceeded the budget.
	BudgetSpent StopReason = "budget spent"
	// Interrupted means that the point needs more trials and the run ended.
	Interrupted StopReason = "interrupted"
	// TrialFailed means that a trial failed.
	TrialFailed StopReason = "failed"
)

// Stop returns why a point with trials of the given times needs no more: [TargetReached],
// [TargetIfIndependent], [MostTrials], or nothing when it needs more. others are the times of the
// points that share its engine; only a Pooled rule looks at them. Stop does not look at the budget.
func (s Stopping) Stop(times []time.Duration, others ...[]time.Duration) StopReason {
	switch {
	case len(times) < s.MinTrials:
		return ""
	case s.Target > 0 && s.Estimate(times, others...).Within(s.Target):
		if s.Pooled && !NewDependence(times, others...).Telling() {
			return TargetIfIndependent
		}
		return TargetReached
	case len(times) >= s.MaxTrials:
		return MostTrials
	}
	return ""
}

// Estimate returns the median of a point's times, in the order of the trials, with the interval
// that the rule looks at. others are the times of the points that share its engine; only a Pooled
// rule looks at them. Estimate returns the zero value for no times.
func (s Stopping) Estimate(times []time.Duration, others ...[]time.Duration) Estimate[time.Duration] {
	if !s.Dependence || len(times) == 0 {
		return Median(times)
	}
	if !s.Pooled {
		others = nil
	}
	return estimate(times, NewDependence(times, others...).Independent)
}

// String returns the rule in words.
func (s Stopping) String() string {
	trials := fmt.Sprintf("%d trials", s.MaxTrials)
	if s.MaxTrials == 1 {
		trials = "1 trial"
	}
	if s.MinTrials == s.MaxTrials && s.Budget == 0 {
		return trials + " a point"
	}
	text := fmt.Sprintf("%d to %s a point", s.MinTrials, trials)
	if s.Target > 0 {
		text += fmt.Sprintf(", until the 95 %% interval is within %.3g %% of the median", 100*s.Target)
	}
	if s.Budget > 0 {
		text += fmt.Sprintf(" or %v are spent", s.Budget)
	}
	return text
}
