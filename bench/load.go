package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// opening is an engine to load, and what to do with it.
type opening struct {
	what    string // what is loaded, in words
	args    vllmgo.EngineArgs
	points  []*pointRun // the points that need it
	latency bool        // latencies are measured

	// use measures the points.
	use func(engine Engine, rec *journal.Engine) error
	// fail records that a point failed because the engine with the given number did not open.
	fail func(number int, p workload.Point, reason error) error
}

// withEngine loads an engine, uses it and closes it, and records all three. It returns the error of
// use or of the journal, or the cause when ctx ended.
func (r *runner) withEngine(ctx context.Context, o opening) (err error) {
	r.engines++
	number := r.engines
	var ids []workload.PointID
	for _, p := range o.points {
		ids = append(ids, p.ID())
	}
	r.progress.line("engine %d: loading %s …", number, o.what)
	if err := r.journal.Append(
		journal.Record{Begin: &journal.Begin{Engine: number, Points: ids, Latency: o.latency}},
	); err != nil {
		return err
	}
	engine, rec, err := r.load(ctx, o)
	r.progress.loaded(rec.LoadTime)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		r.progress.line("engine %d: did not open: %v", number, err)
		for _, p := range o.points {
			if err := o.fail(number, p.Point, fmt.Errorf("the engine did not open: %w", err)); err != nil {
				return err
			}
		}
		return nil
	}
	defer func() {
		if closeErr := closeEngine(engine); closeErr != nil {
			r.progress.line("engine %d: did not close: %v", number, closeErr)
			reason := fmt.Sprintf("the engine did not close: %v", closeErr)
			err = errors.Join(err, r.journal.Append(journal.Record{Failure: &journal.Failure{Engine: number, Reason: reason}}))
		}
	}()
	r.progress.line("engine %d: loaded in %s s", number, format.Seconds(rec.LoadTime))
	rec.Number = number
	if err := r.journal.Append(journal.Record{Engine: &rec}); err != nil {
		return err
	}
	return o.use(engine, &rec)
}

// load loads an engine and measures what that costs.
func (r *runner) load(ctx context.Context, o opening) (Engine, journal.Engine, error) {
	rec, err := r.plan(o)
	if err != nil {
		return nil, rec, err
	}
	hostBefore, err := machine.HostMemory()
	if err != nil {
		return nil, rec, err
	}
	gpuBefore, before := machine.GPUMemory(), machine.OnGPUs()
	rec.OtherGPUProcesses = before.Without(r.onGPUs, machine.Descendants())
	rec.OtherLoadAverage = machine.OtherLoadAverage()
	start := time.Now()
	engine, err := r.Open(ctx, rec.Args)
	if err != nil {
		return nil, rec, err
	}
	rec.LoadTime = time.Since(start)
	maps.Copy(r.onGPUs, machine.OwnOnGPUs(before, machine.OnGPUs(), machine.Descendants()))
	hostAfter, err := machine.HostMemory()
	if err != nil {
		return nil, rec, errors.Join(err, engine.Close())
	}
	rec.HostMemory = hostAfter - hostBefore
	if gpuBefore != nil {
		gpus, added := machine.LoadedGPUs(gpuBefore, machine.GPUMemory())
		rec.GPUs, rec.GPUMemory = gpus, &added
	}
	rec.Info = engine.Info()
	return engine, rec, nil
}

// plan returns the record of an engine with its settings. On a CPU it adds the size of the KV
// cache.
func (r *runner) plan(o opening) (rec journal.Engine, err error) {
	rec.Args = o.args
	if r.Device != "cpu" {
		return rec, nil
	}
	var points []workload.Point
	for _, p := range o.points {
		points = append(points, p.Point)
	}
	rec.Args, rec.Notice, err = engines.WithCPUCache(o.args, points, r.ModelConfig)
	if err == nil {
		r.progress.line("%s", rec.Notice)
	}
	return rec, err
}
