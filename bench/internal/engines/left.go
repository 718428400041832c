package engines

import (
	"errors"
	"path/filepath"
	"slices"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

const (
	// latencyRequests is the number of requests after which a point has enough latency passes.
	latencyRequests = 100
	// latencyPasses is the most latency passes of a point.
	latencyPasses = 10
)

// LatencyPasses returns the number of latency passes that a point needs.
func LatencyPasses(p workload.Point) int {
	return min(latencyPasses, (latencyRequests+p.Requests-1)/p.Requests)
}

// Unfinished returns the groups with the points that need more trials. It leaves out groups without
// any.
func Unfinished(groups []Group, past *journal.Journal) []Group {
	return without(groups, func(p workload.Point) bool { return past.Stopped(p.ID()) != "" })
}

// Untimed returns the groups with the points that need latency passes. It leaves out groups without
// any.
func Untimed(groups []Group, past *journal.Journal) []Group {
	failed := func(p workload.Point) bool {
		return slices.ContainsFunc(
			past.Failures,
			func(f journal.Failure) bool { return f.Point != nil && *f.Point == p.ID() },
		)
	}
	return without(groups, func(p workload.Point) bool { return past.Passes(p.ID()) >= LatencyPasses(p) || failed(p) })
}

// without returns the groups without the points that are done, and without empty groups.
func without(groups []Group, done func(workload.Point) bool) []Group {
	var rest []Group
	for _, g := range groups {
		g.Points = slices.DeleteFunc(slices.Clone(g.Points), done)
		if len(g.Points) > 0 {
			rest = append(rest, g)
		}
	}
	return rest
}

// NextEnv returns the environment variables that the next engine of an unfinished run needs before
// Python starts; nil when it needs none.
func NextEnv(j *journal.Journal) map[string]string {
	groups, err := Groups(j.Header.Studies, j.Header.EngineArgs)
	if err != nil {
		return nil // a run with such settings never began
	}
	rest := Unfinished(groups, j)
	if j.Header.Latency {
		rest = append(rest, Untimed(groups, j)...)
	}
	if len(rest) == 0 {
		return nil
	}
	return rest[0].Env
}

// RecordCrash marks the work in progress as failed, in the journal of a results directory whose
// process has died for the given reason. A resumed run then goes on with the rest. The work in
// progress is a point or, when an engine was loading, all points that need it. Without the call a
// resumed run tries again.
func RecordCrash(dir, reason string) error {
	w, past, err := journal.Continue(filepath.Join(dir, journal.FileName))
	if err != nil {
		return err
	}
	if begun := past.UnderWay; begun != nil {
		for _, p := range begun.Points {
			err = errors.Join(err, w.Append(journal.Record{Failure: &journal.Failure{
				Engine: begun.Engine, Point: &p, Trial: begun.Trial, Latency: begun.Latency, Reason: reason,
			}}))
		}
	}
	return errors.Join(err, w.Close())
}
