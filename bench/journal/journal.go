package journal

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"vllmgo/bench/internal/valid"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Journal is everything that a run recorded, as read from its file.
type Journal struct {
	Header   Header
	Engines  []Engine
	WarmUps  []WarmUp
	Trials   []Trial
	Failures []Failure
	// Latencies are the passes that timed each request.
	Latencies []LatencyPass
	// Limits are the measured limits of the device; nil when they were not measured.
	Limits *Limits
	// OutOfBudget are the points that have no more trials because the budget was spent.
	OutOfBudget []workload.PointID
	// Ended is true when the run came to its end. It is false when the run was interrupted.
	Ended bool
	// Damaged is true when the last line was damaged and left out, as after a crash.
	Damaged bool
	// Unverified is true when the lines have no checksums, because an older program wrote them.
	// Damage may then go unnoticed.
	Unverified bool

	// UnderWay is what has begun according to the last line; nil when that line is of another kind.
	UnderWay *Begin
	// LastEngine is the number of the latest engine, opened or not.
	LastEngine int
}

// add takes in one line of the file.
func (j *Journal) add(line []byte, verified bool) error {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	if j.Header.Schema == 0 {
		return j.addHeader(r.Header, verified)
	}
	if err := j.validate(r); err != nil {
		return err
	}
	switch {
	case r.Engine != nil:
		j.Engines = append(j.Engines, *r.Engine)
		j.LastEngine = max(j.LastEngine, r.Engine.Number)
	case r.WarmUp != nil:
		j.WarmUps = append(j.WarmUps, *r.WarmUp)
	case r.Trial != nil:
		j.Trials = append(j.Trials, *r.Trial)
	case r.Failure != nil:
		j.Failures = append(j.Failures, *r.Failure)
	case r.Latency != nil:
		j.Latencies = append(j.Latencies, *r.Latency)
	case r.Limits != nil:
		j.Limits = r.Limits
	case r.Begin != nil:
		j.UnderWay = r.Begin
		j.LastEngine = max(j.LastEngine, r.Begin.Engine)
		return nil
	case r.Done != nil:
		j.OutOfBudget = append(j.OutOfBudget, *r.Done)
	case r.End != nil:
		j.Ended = true
	default:
		return errors.New("neither engine, warm-up, trial, failure, latency, limits, begin, done nor end")
	}
	j.UnderWay = nil
	return nil
}

// addHeader takes in the first line.
func (j *Journal) addHeader(h *Header, verified bool) error {
	if h == nil {
		return errors.New("the first line is not a header")
	}
	if err := cmp.Or(valid.Schema(h.Schema, Schema, verified), h.validate()); err != nil {
		return err
	}
	j.Header, j.Unverified = *h, !verified
	return nil
}

// Times returns the times of a point's trials, in their order.
func (j *Journal) Times(p workload.PointID) []time.Duration {
	var times []time.Duration
	for _, t := range j.Trials {
		if t.PointID == p {
			times = append(times, t.Elapsed)
		}
	}
	return times
}

// Passes returns the number of a point's latency passes.
func (j *Journal) Passes(p workload.PointID) int {
	n := 0
	for _, l := range j.Latencies {
		if l.PointID == p {
			n++
		}
	}
	return n
}

// Stopped returns why a point needs no more trials; empty when it needs more. A rule that does not
// pool the dependence is applied to the trials, since journals of earlier versions do not have the
// reason.
func (j *Journal) Stopped(p workload.PointID) stat.StopReason {
	failed := func(f Failure) bool { return f.Point != nil && *f.Point == p && !f.Latency }
	if slices.ContainsFunc(j.Failures, failed) {
		return stat.TrialFailed
	}
	var reason stat.StopReason
	for _, t := range j.Trials {
		if t.PointID == p {
			reason = t.Stopped
		}
	}
	if !j.Header.Stopping.Pooled {
		reason = j.Header.Stopping.Stop(j.Times(p))
	}
	if reason == "" && slices.Contains(j.OutOfBudget, p) {
		return stat.BudgetSpent
	}
	return reason
}

// Spent returns the time that loading, warm-up and trials have taken so far.
func (j *Journal) Spent() time.Duration {
	var total time.Duration
	for _, e := range j.Engines {
		total += e.LoadTime
	}
	for _, w := range j.WarmUps {
		total += w.Single
		for _, pass := range w.Passes {
			total += pass
		}
	}
	for _, t := range j.Trials {
		total += t.Elapsed + t.Outside
	}
	return total
}
