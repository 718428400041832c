package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/format"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// Run measures every point of the studies and writes the journal into the results directory.
//
// All points of an engine are warmed up first. Then come rounds: each has one trial of every point that needs
// one, in random order, so that whatever changes with time changes all points alike.
//
// A point that fails is in the journal with its reason and has no further trials. When it failed because of
// an error of the engine's, the engine's other points go on in a fresh one. When an engine does not open, its
// points fail. Run returns an error when the settings are incomplete, when the journal cannot be written,
// and, once ctx is cancelled, the cause: it then stops at once and closes the engine, and the journal holds
// what was measured.
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

	all, err := groupByEngine(s.Studies, s.EngineArgs)
	if err != nil {
		return err
	}
	groups := unfinished(all, past)
	r := runner{Settings: s, journal: w, past: past, progress: newProgress(s.Progress, groups, s.Stopping, past), engines: past.LastEngine, before: past.LastEngine, onGPUs: machine.PIDs{}}
	if err := r.measureLimits(ctx); err != nil {
		return err
	}
	for i, g := range groups {
		if s.OneEngine && g.missing() != "" {
			return nil // for a process that has it
		}
		rest, err := r.runGroup(ctx, groups[i:])
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case s.OneEngine && (rest || i < len(groups)-1):
			return nil
		}
	}
	if s.Latency {
		if rest, err := r.latencies(ctx, all); rest || err != nil {
			return err
		}
	}
	return w.Append(journal.Record{End: &journal.End{At: time.Now().UTC()}})
}

// latencies measures what is left of the latencies. rest says that OneEngine leaves some to another call.
func (r *runner) latencies(ctx context.Context, groups []EngineGroup) (rest bool, err error) {
	if r.past, err = journal.ReadFile(filepath.Join(r.Dir, journal.FileName)); err != nil {
		return false, err
	}
	loaded := r.engines > r.before
	for _, g := range groups {
		g.Points = slices.DeleteFunc(slices.Clone(g.Points), func(p workload.Point) bool { return timed(r.past, p) })
		switch {
		case len(g.Points) == 0:
			continue
		case r.OneEngine && (loaded || g.missing() != ""):
			return true, nil
		}
		if err := r.runLatencies(ctx, g); err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		loaded = true
	}
	return false, nil
}

// measureLimits measures the device once for a run. The error is the journal's: without the limits a run lacks its speed
// of light only.
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

// runner is a run under way.
type runner struct {
	Settings
	journal  *journal.Writer
	past     *journal.Journal // what the journal held before
	progress *progress
	engines  int          // opened or tried so far
	before   int          // of those, by earlier calls
	onGPUs   machine.PIDs // this program's processes there, as NVML numbers them
}

// runGroup measures the points of the first group, in as many engines as it takes or, with OneEngine, in one. After its
// share of the budget begins no trial but a point's first. rest says that points are left for another engine. The error is
// the journal's; what fails otherwise is in the journal, except that cancelling ctx just ends it.
func (r *runner) runGroup(ctx context.Context, groups []EngineGroup) (rest bool, err error) {
	g := groups[0]
	var points []*pointRun
	for _, p := range g.Points {
		requests, err := r.Requests.Point(ctx, p)
		if missing := g.missing(); missing != "" {
			err = fmt.Errorf("it needs %s in the environment before Python starts: measure it in a process of its own (Settings.OneEngine)", missing)
		}
		if err != nil {
			if ctx.Err() != nil {
				return false, nil
			}
			if err := r.fail(r.engines+1, p, 0, err); err != nil {
				return false, err
			}
			continue
		}
		points = append(points, &pointRun{Point: p, requests: requests, times: r.past.Times(p.ID())})
	}
	for len(points) > 0 && ctx.Err() == nil {
		if points, err = r.runEngine(ctx, groups, points); err != nil || r.OneEngine {
			return len(points) > 0, err
		}
	}
	return false, nil
}

// pointRun is a point under way.
type pointRun struct {
	workload.Point
	requests *workload.PointRequests
	times    []time.Duration // of its trials
	cost     time.Duration   // of its latest pass, before and after LLM.generate included
}

// runEngine opens an engine for the first group, measures points, and closes it. It returns the points that need another engine.
func (r *runner) runEngine(ctx context.Context, groups []EngineGroup, points []*pointRun) (rest []*pointRun, err error) {
	args, began := groups[0].Args, time.Now()
	r.engines++
	number := r.engines
	r.progress.line("engine %d: loading %s (max_num_batched_tokens %d, max_num_seqs %d) …", number, r.ModelName, args.MaxNumBatchedTokens, args.MaxNumSeqs)
	var ids []workload.PointID
	for _, p := range points {
		ids = append(ids, p.ID())
	}
	if err := r.journal.Append(journal.Record{Begin: &journal.Begin{Engine: number, Points: ids}}); err != nil {
		return nil, err
	}
	engine, rec, err := r.open(ctx, args, points)
	r.progress.eta.loads = max(0, r.progress.eta.loads-1)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil
		}
		r.progress.line("engine %d: did not open: %v", number, err)
		for _, p := range points {
			if err := r.fail(number, p.Point, 0, fmt.Errorf("the engine did not open: %w", err)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	defer func() {
		if closeErr := closeEngine(engine); closeErr != nil {
			r.progress.line("engine %d: did not close: %v", number, closeErr)
			reason := fmt.Sprintf("the engine did not close: %v", closeErr)
			err = errors.Join(err, r.journal.Append(journal.Record{Failure: &journal.Failure{Engine: number, Reason: reason}}))
		}
	}()
	r.progress.eta.load = rec.LoadTime
	r.progress.line("engine %d: loaded in %s s", number, format.Seconds(rec.LoadTime))
	rec.Number = number
	if err := r.journal.Append(journal.Record{Engine: rec}); err != nil {
		return nil, err
	}
	e := engineRun{runner: r, Engine: engine, rec: rec, points: points, groups: groups, began: began}
	err = e.measure(ctx)
	return e.points, err
}

// grace is how long an engine may take to stop or to close.
const grace = time.Minute

// closeEngine closes an engine, or gives up after a minute.
func closeEngine(engine Engine) error {
	closed := make(chan error, 1)
	go func() { closed <- engine.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(grace):
		return fmt.Errorf("it is not closed after %v", grace)
	}
}

// open loads an engine and measures what that costs.
func (r *runner) open(ctx context.Context, args vllmgo.EngineArgs, points []*pointRun) (Engine, *journal.Engine, error) {
	var rec journal.Engine
	if r.Device == "cpu" {
		available, err := machine.AvailableMemory()
		if err != nil {
			return nil, nil, err
		}
		var all []workload.Point
		for _, p := range points {
			all = append(all, p.Point)
		}
		args, rec.Notice, err = planCPUCache(args, all, r.ModelConfig.WithDtype(args.Dtype), available, os.Getenv(kvSpaceVariable))
		if err != nil {
			return nil, nil, err
		}
		r.progress.line("%s", rec.Notice)
	}
	hostBefore, err := machine.HostMemory()
	if err != nil {
		return nil, nil, err
	}
	gpuBefore := machine.GPUMemory()
	before := machine.OnGPUs()
	rec.OtherGPUProcesses = before.Without(r.onGPUs, machine.Descendants())
	rec.OtherLoadAverage = machine.OtherLoadAverage()
	start := time.Now()
	engine, err := r.Open(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	rec.LoadTime = time.Since(start)
	maps.Copy(r.onGPUs, machine.OwnOnGPUs(before, machine.OnGPUs(), machine.Descendants()))
	hostAfter, err := machine.HostMemory()
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	rec.HostMemory = hostAfter - hostBefore
	if gpuBefore != nil {
		gpus, added := machine.LoadedGPUs(gpuBefore, machine.GPUMemory())
		rec.GPUs, rec.GPUMemory = gpus, &added
	}
	rec.Args = args
	rec.Info = engine.Info()
	return engine, &rec, nil
}

// fail records that a point failed, in a trial or, when trial is 0, before its first.
func (r *runner) fail(engine int, p workload.Point, trial int, reason error) error {
	r.progress.line("%s: failed: %s", p, format.FirstLine(reason))
	r.progress.drop(p)
	return r.journal.Append(journal.Record{Failure: &journal.Failure{Engine: engine, Point: new(p.ID()), Trial: trial, Check: checkOf(reason), Reason: reason.Error()}})
}
