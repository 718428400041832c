package stat

import (
	"errors"
	"fmt"
	"time"

	"vllmgo/internal/format"
)

// Stopping says how often points are measured: each until the 95 % interval of its median is within Target, at
// least MinTrials and at most MaxTrials times, and as long as the budget allows. Each point has one trial whatever
// the budget.
//
// Looking at the interval after each trial and stopping when it is narrow makes it cover the true median
// less often than 95 %; docs/benchmarking.md says by how much.
type Stopping struct {
	// Target is the precision to reach, as a fraction of the median; see [Median.Precision]. 0 means none.
	Target float64 `json:"target"`
	// MinTrials and MaxTrials bound the number of a point's trials.
	MinTrials int `json:"min_trials"`
	MaxTrials int `json:"max_trials"`
	// Budget is the time for the whole run, loading and warm-up included. Engines share it by what they have to compute.
	// 0 means no limit.
	Budget time.Duration `json:"budget_ns"`
}

// FixedTrials measures each point n times.
func FixedTrials(n int) Stopping { return Stopping{MinTrials: n, MaxTrials: n} }

// DefaultTarget is the default precision, as a fraction.
const DefaultTarget = 0.02

// UntilPrecise measures each point 6 to 50 times, until the interval is within the target or the budget is spent.
func UntilPrecise(target float64, budget time.Duration) Stopping {
	return Stopping{Target: target, MinTrials: 6, MaxTrials: 50, Budget: budget}
}

// String says it in words.
func (s Stopping) String() string {
	if s.MinTrials == s.MaxTrials && s.Budget == 0 {
		return format.Count(s.MaxTrials, "trial") + " a point"
	}
	text := fmt.Sprintf("%d to %s a point", s.MinTrials, format.Count(s.MaxTrials, "trial"))
	if s.Target > 0 {
		text += fmt.Sprintf(", until the 95 %% interval is within %.3g %% of the median", 100*s.Target)
	}
	if s.Budget > 0 {
		text += fmt.Sprintf(" or %v are spent", s.Budget)
	}
	return text
}

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

// Done reports whether a point with these trials needs no other, the budget apart.
func (s Stopping) Done(times []time.Duration) bool {
	if len(times) < s.MinTrials {
		return false
	}
	return len(times) >= s.MaxTrials || s.Target > 0 && Median(times).Within(s.Target)
}

// Reason says why a measured point has no more trials; "interrupted" when it needs more.
func (s Stopping) Reason(times []time.Duration, outOfBudget bool) string {
	switch {
	case s.Target > 0 && Median(times).Within(s.Target):
		return "target reached"
	case len(times) >= s.MaxTrials:
		return "most trials reached"
	case outOfBudget:
		return "budget spent"
	}
	return "interrupted"
}
