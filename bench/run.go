package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/format"
	"vllmgo/internal/machine"
)

// Run measures every point of the studies and writes the journal into the results directory.
//
// Points with equal engine settings share an engine. Run first warms all of them up. It then measures
// them in rounds: each round has one trial of every point that needs one, in random order, so that
// whatever changes with time changes all points alike.
//
// A point that fails is in the journal with its reason and has no further trials. After an error of the
// engine, its other points go on in another one. When an engine does not open, its points fail.
//
// Run returns an error when the settings are incomplete or the journal cannot be written. When ctx ends,
// Run closes the engine and returns the cause; the journal has what was measured by then.
func Run(ctx context.Context, s Settings) (err error) {
	if err := s.complete(); err != nil {
		return err
	}
	w, past, err := s.openJournal()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if past.Ended {
		return nil
	}
	groups, err := groupByEngine(s.Studies, s.EngineArgs)
	if err != nil {
		return err
	}
	r := newRunner(s, w, past, groups)
	if err := r.measureLimits(ctx); err != nil {
		return err
	}
	if left, err := r.throughputs(ctx, unfinished(groups, past)); left || err != nil {
		return err
	}
	if s.Latency {
		if left, err := r.latencies(ctx, groups); left || err != nil {
			return err
		}
	}
	return w.Append(journal.Record{End: &journal.End{At: time.Now().UTC()}})
}

// runner is a run under way.
type runner struct {
	Settings
	journal  *journal.Writer
	past     *journal.Journal // what the journal held when the call of Run began
	progress *progress
	engines  int          // engines that were opened or tried so far, in all calls
	onGPUs   machine.PIDs // this program's processes on GPUs, as NVML numbers them
}

// newRunner returns the runner of the groups that past leaves.
func newRunner(s Settings, w *journal.Writer, past *journal.Journal, groups []EngineGroup) *runner {
	return &runner{
		Settings: s, journal: w, past: past, engines: past.LastEngine, onGPUs: machine.PIDs{},
		progress: newProgress(s.Progress, unfinished(groups, past), s.Stopping, past),
	}
}

// measureLimits measures the limits of the device once for a run. Without them the run only lacks its
// speed of light, so an error of theirs is a line of progress.
func (r *runner) measureLimits(ctx context.Context) error {
	if r.Limits == nil || r.ModelSize == nil || r.past.Limits != nil {
		return nil
	}
	r.progress.line("measuring memory bandwidth and arithmetic …")
	limits, err := r.Limits(ctx)
	if err != nil {
		r.progress.line("no speed of light: %v", err)
		return nil
	}
	return r.journal.Append(journal.Record{Limits: &limits})
}

// throughputs measures the points of groups. It reports whether OneEngine leaves some to another call.
func (r *runner) throughputs(ctx context.Context, groups []EngineGroup) (left bool, err error) {
	for i, g := range groups {
		if r.mustWait(g) {
			return true, nil
		}
		points, err := r.draw(ctx, g)
		if err != nil {
			return false, err
		}
		for len(points) > 0 {
			points, err = r.runEngine(ctx, groups[i:], points)
			switch {
			case err != nil:
				return false, err
			case r.OneEngine:
				return len(points) > 0 || i < len(groups)-1, nil
			}
		}
	}
	return false, nil
}

// latencies measures the latencies that the journal does not have. It reports whether OneEngine leaves
// some to another call.
func (r *runner) latencies(ctx context.Context, groups []EngineGroup) (left bool, err error) {
	loaded := r.engines > r.past.LastEngine
	if r.past, err = journal.ReadFile(filepath.Join(r.Dir, journal.FileName)); err != nil {
		return false, err
	}
	for _, g := range groups {
		g.Points = slices.DeleteFunc(slices.Clone(g.Points), func(p workload.Point) bool { return timed(r.past, p) })
		switch {
		case len(g.Points) == 0:
			continue
		case r.OneEngine && loaded || r.mustWait(g):
			return true, nil
		}
		if err := r.runLatencies(ctx, g); err != nil {
			return false, err
		}
		loaded = true
	}
	return false, nil
}

// mustWait reports whether a group needs a process with another environment.
func (r *runner) mustWait(g EngineGroup) bool { return r.OneEngine && g.missing() != "" }

// pointRun is a point under way.
type pointRun struct {
	workload.Point
	requests *workload.PointRequests
	times    []time.Duration // of its trials
	cost     time.Duration   // of its latest pass, with the time before and after LLM.generate
}

// draw prepares the requests of a group's points. A point whose requests do not exist fails, and so does
// one whose environment the process does not have.
func (r *runner) draw(ctx context.Context, g EngineGroup) ([]*pointRun, error) {
	var points []*pointRun
	for _, p := range g.Points {
		requests, err := r.Requests.Point(ctx, p)
		if missing := g.missing(); missing != "" {
			err = fmt.Errorf("it needs %s in the environment before Python starts: measure it in a process of its own (Settings.OneEngine)", missing)
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			if err := r.fail(r.engines+1, p, 0, err); err != nil {
				return nil, err
			}
		default:
			points = append(points, &pointRun{Point: p, requests: requests, times: r.past.Times(p.ID())})
		}
	}
	return points, nil
}

// runEngine measures points in one engine with the settings of the first group. It returns the points that
// need another engine.
func (r *runner) runEngine(ctx context.Context, groups []EngineGroup, points []*pointRun) ([]*pointRun, error) {
	e := &engineRun{runner: r, points: slices.Clone(points), groups: groups, began: time.Now()}
	args := groups[0].Args
	err := r.withEngine(ctx, opening{
		what: fmt.Sprintf("%s (max_num_batched_tokens %d, max_num_seqs %d)", r.ModelName, args.MaxNumBatchedTokens, args.MaxNumSeqs),
		args: args, points: points,
		use: func(engine Engine, rec *journal.Engine) error {
			e.Engine, e.rec = engine, rec
			if err := e.measure(ctx); !errors.Is(err, errEngineLost) {
				return err
			}
			return nil
		},
		fail: func(number int, p workload.Point, reason error) error {
			e.drop(p)
			return r.fail(number, p, 0, reason)
		},
	})
	return e.points, err
}

// fail records that a point failed, in a trial or, when trial is 0, before its first.
func (r *runner) fail(engine int, p workload.Point, trial int, reason error) error {
	r.progress.line("%s: failed: %s", p, format.FirstLine(reason))
	r.progress.drop(p)
	return r.journal.Append(journal.Record{Failure: &journal.Failure{
		Engine: engine, Point: new(p.ID()), Trial: trial, Check: checkOf(reason), Reason: reason.Error(),
	}})
}
