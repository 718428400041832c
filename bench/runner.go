package bench

import (
	"context"
	"fmt"
	"time"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// runner is a run under way.
type runner struct {
	Settings
	journal  *journal.Writer
	past     *journal.Journal // what the journal held when the call of Run began
	progress *progress
	shared   []engines.Group                      // the points that share each engine, measured or not
	times    map[workload.PointID][]time.Duration // of all trials so far
	engines  int                                  // engines that were opened or tried so far, in all calls
	onGPUs   machine.PIDs                         // this program's processes on GPUs, as NVML numbers them
}

// newRunner returns the runner of the groups, after what was measured in the past.
func newRunner(s Settings, w *journal.Writer, past *journal.Journal, groups []engines.Group) *runner {
	r := &runner{
		Settings: s, journal: w, past: past, engines: past.LastEngine, onGPUs: machine.PIDs{},
		progress: newProgress(s, engines.Unfinished(groups, past), past),
		shared:   groups, times: make(map[workload.PointID][]time.Duration),
	}
	for _, t := range past.Trials {
		r.times[t.PointID] = append(r.times[t.PointID], t.Elapsed)
	}
	return r
}

// others returns the times of the points that share an engine with a point.
func (r *runner) others(p workload.PointID) [][]time.Duration {
	return engines.Others(r.shared, p, func(q workload.PointID) []time.Duration { return r.times[q] })
}

// pointRun is a point under way.
type pointRun struct {
	workload.Point
	requests *workload.PointRequests
	cost     time.Duration // of its latest pass, with the time before and after LLM.generate
}

// draw prepares the requests of a group's points. A point whose requests do not exist fails, and so
// does one whose environment the process does not have.
func (r *runner) draw(ctx context.Context, g engines.Group) ([]*pointRun, error) {
	var points []*pointRun
	for _, p := range g.Points {
		requests, err := r.requestsOf(ctx, p)
		if missing := g.Missing(); missing != "" {
			err = fmt.Errorf(
				"it needs %s in the environment before Python starts: measure it in a process of its own (Settings.OneEngine)",
				missing,
			)
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			if err := r.fail(r.engines+1, p, 0, err); err != nil {
				return nil, err
			}
		default:
			points = append(points, &pointRun{Point: p, requests: requests})
		}
	}
	return points, nil
}

// requestsOf prepares the requests of a point, unless the model cannot hold them.
func (r *runner) requestsOf(ctx context.Context, p workload.Point) (*workload.PointRequests, error) {
	if err := r.CheckLengths(p); err != nil {
		return nil, err
	}
	return r.Requests.Point(ctx, p)
}

// tellLengths prints what is to be said about the files that lengths were taken from, once for each
// file.
func (r *runner) tellLengths(groups []engines.Group) {
	told := make(map[string]bool)
	for _, g := range groups {
		for _, p := range g.Points {
			for _, note := range p.LengthsFile.Notes(p.Requests) {
				if !told[note] {
					told[note] = true
					r.progress.line("%s", note)
				}
			}
		}
	}
}

// mustWait reports whether a group needs a process with another environment.
func (r *runner) mustWait(g engines.Group) bool { return r.OneEngine && g.Missing() != "" }

// measureLimits measures the limits of the device once for a run. Without them the run only lacks
// its speed of light, so an error of theirs is a line of progress.
func (r *runner) measureLimits(ctx context.Context) error {
	if r.Limits == nil || r.ModelSize == nil || r.past.Limits != nil {
		return nil
	}
	r.progress.line("measuring memory bandwidth and arithmetic …")
	limits, err := r.Limits(ctx)
	if err == nil {
		err = limits.Validate()
	}
	if err != nil {
		r.progress.line("no speed of light: %v", err)
		return nil
	}
	return r.journal.Append(journal.Record{Limits: &limits})
}

// fail records that a point failed, in a trial or, when trial is 0, before its first.
func (r *runner) fail(engine int, p workload.Point, trial int, reason error) error {
	r.progress.line("%s: failed: %s", p, format.FirstLine(reason))
	r.progress.drop(p)
	return r.journal.Append(journal.Record{Failure: &journal.Failure{
		Engine: engine, Point: new(p.ID()), Trial: trial, Check: checkOf(reason), Reason: reason.Error(),
	}})
}
