package vllmgo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"vllmgo/internal/ctxerr"
)

// loader loads the replicas of an LLM.
type loader struct {
	bridge *bridge
	args   EngineArgs
	files  []*os.File // of placement.Measured
	*replicas
}

// openReplicas loads data_parallel_size engines side by side, each in a process of its own.
func openReplicas(ctx context.Context, args EngineArgs) (*replicas, error) {
	b, err := openBridge(ctx)
	if err != nil {
		return nil, err
	}
	l := &loader{bridge: b, args: args, replicas: newReplicas(args.DataParallelSize)}
	l.open, l.watch = l.openAgain, l.watchAll
	firstLine := lines.count()
	if err := l.openAll(ctx); err != nil {
		_ = l.close() // the first error says why; the processes have ended
		if ctx.Err() != nil {
			return nil, fmt.Errorf("vllmgo: loading %s: %w", args.Model, ctxerr.Reason(ctx))
		}
		return nil, explainLoading(err, args, firstLine)
	}
	return l.replicas, nil
}

// openAll starts all processes, which import vLLM side by side, places the replicas, and loads them
// side by side. The first error ends all.
func (l *loader) openAll(ctx context.Context) error {
	started, hosts := make([]*remote, len(l.all)), make([]host, len(l.all))
	err := l.each(ctx, func(ctx context.Context, i int) (err error) {
		started[i], hosts[i], err = l.start(ctx)
		return err
	})
	if err == nil {
		l.placement, err = place(hosts[0], len(l.all), l.args.ranks(), l.newFile)
	}
	if err == nil {
		err = l.each(ctx, func(ctx context.Context, i int) error {
			_, err := l.load(ctx, started[i], i)
			return err
		})
	}
	if err != nil {
		for _, r := range started {
			if r != nil {
				r.kill()
			}
		}
		for i, r := range started {
			if r != nil {
				r.end()
			}
			l.all[i] = nil // nothing is left to close
		}
	}
	return err
}

// watchAll begins to look for replicas that die while they are idle.
func (l *loader) watchAll() {
	for _, at := range l.all {
		l.watchOne(at)
	}
}

// watchOne begins to look for the death of a replica.
func (l *loader) watchOne(at *replica) {
	r := at.engine.(*remote)
	go func() {
		<-r.process.Done()
		r.release()
		l.died(at, r.explainEnd(errConnectionEnded))
	}()
}

// newFile makes a file that lasts as long as the replicas, and returns its path.
func (l *loader) newFile() (string, error) {
	file, err := memoryFile("vllmgo-measured")
	if err != nil {
		return "", err
	}
	l.files = append(l.files, file)
	return pathOf(file), nil
}

// each runs fn for each replica at once. The first error ends the context of the others, and is
// returned.
func (l *loader) each(ctx context.Context, fn func(ctx context.Context, i int) error) error {
	d := newDivision(ctx)
	for i := range l.all {
		d.run(func(ctx context.Context) error { return fn(ctx, i) })
	}
	return d.wait()
}

// openAgain starts a replica after its death.
func (l *loader) openAgain(ctx context.Context, i int) error {
	firstLine := lines.count()
	r, _, err := l.start(ctx)
	if err != nil {
		return explainLoading(err, l.args, firstLine)
	}
	at, err := l.load(ctx, r, i)
	if err != nil {
		r.end()
		return explainLoading(err, l.args, firstLine)
	}
	l.watchOne(at)
	return nil
}

// start starts a process, which imports vLLM. The end of ctx kills it.
func (l *loader) start(ctx context.Context) (*remote, host, error) {
	var h host
	modules, err := archive.get(ctx, openArchive)
	if err != nil {
		return nil, h, err
	}
	r, err := startRemote(l.bridge, modules)
	if err != nil {
		return nil, h, err
	}
	defer context.AfterFunc(ctx, r.kill)()
	if err = r.call(&h, "prepare"); err != nil {
		r.end()
		return nil, h, err
	}
	return r, h, nil
}

// load makes the engine of replica i in a process that was started. The end of ctx kills it.
func (l *loader) load(ctx context.Context, r *remote, i int) (*replica, error) {
	defer context.AfterFunc(ctx, r.kill)()
	kwargs, err := l.args.ofReplica(i).kwargs()
	if err != nil {
		return nil, err
	}
	if err := r.call(nil, "load", kwargs, l.args.EngineMode.ownProcess(), l.placement[i]); err != nil {
		return nil, err
	}
	return l.put(i, r, r.signal)
}

// ranks returns the number of devices or, on a CPU, of ranks of one engine.
func (a EngineArgs) ranks() int { return max(a.TensorParallelSize, 1) * max(a.PipelineParallelSize, 1) }

// ofReplica returns the arguments of one replica. It has a seed of its own: with one for all, equal
// prompts would get equal samples.
func (a EngineArgs) ofReplica(i int) EngineArgs {
	a.DataParallelSize, a.DataParallelBackend = 0, ""
	seed := i
	if a.Seed != nil {
		seed += *a.Seed
	}
	a.Seed = &seed
	return a
}

// checkDataParallel returns an error for arguments of data parallelism that cannot work.
func (a EngineArgs) checkDataParallel() error {
	switch {
	case a.DataParallelSize < 0:
		return fmt.Errorf("vllmgo: data_parallel_size is %d; it must be at least 1", a.DataParallelSize)
	case a.DataParallelSize > runtime.NumCPU():
		return fmt.Errorf(
			"vllmgo: data_parallel_size is %d, but this machine has %d CPU cores, and each engine keeps one busy: "+
				"lower it",
			a.DataParallelSize,
			runtime.NumCPU(),
		)
	case a.DataParallelBackend == "ray":
		return errors.New(
			`vllmgo: data_parallel_backend "ray" is not supported yet: leave it out, and all replicas run on this machine`,
		)
	case a.DataParallelBackend != "" && a.DataParallelBackend != "mp":
		return fmt.Errorf(`vllmgo: data_parallel_backend %q is not "mp"`, a.DataParallelBackend)
	}
	var others []string
	for name := range a.Extra {
		if strings.HasPrefix(name, "data_parallel_") {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	if len(others) > 0 {
		return fmt.Errorf(
			"vllmgo: %s: set DataParallelSize alone, and vllmgo does the rest",
			strings.Join(others, ", "),
		)
	}
	return nil
}
