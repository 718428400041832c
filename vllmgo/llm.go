package vllmgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// LLM is a loaded model: vLLM's offline class of the same name, with one engine or, by
// [EngineArgs].DataParallelSize, many. Any goroutine may call its methods; the package's
// documentation describes how calls share the engines.
type LLM struct {
	*replicas
	args EngineArgs
	info Info
	// defaultParams are DefaultSamplingParams, in JSON.
	defaultParams string
	// maxInEngines is the most prompts of a sequence that are worth having in work at once.
	maxInEngines int
	closeErr     error
	once         sync.Once
}

// New loads a model into an engine, or into as many as DataParallelSize says. It returns when all
// are ready, which takes seconds to minutes.
//
// Wrong settings are errors before loading starts. When ctx ends during loading, New returns at
// once; loading stops in the background, and gives back what was loaded. With several engines, it
// ends their processes and waits for that.
func New(ctx context.Context, args EngineArgs) (*LLM, error) {
	kwargs, err := args.kwargs()
	if err != nil {
		return nil, err
	}
	if err := args.checkDataParallel(); err != nil {
		return nil, err
	}
	l := &LLM{args: args}
	if args.DataParallelSize > 1 {
		l.replicas, err = openReplicas(ctx, args)
	} else {
		l.replicas, err = openEngine(ctx, args, kwargs)
	}
	if err != nil {
		return nil, err
	}
	if err := l.describe(); err != nil {
		return nil, errors.Join(explain(err), l.Close())
	}
	if l.watch != nil {
		l.watch()
	}
	return l, nil
}

// openEngine loads one engine in this process's Python.
func openEngine(ctx context.Context, args EngineArgs, kwargs string) (*replicas, error) {
	signal := make([]int32, 1)
	e, err := openEmbedded(ctx, args, kwargs, signal)
	if err != nil {
		return nil, err
	}
	r := newReplicas(1)
	if _, err := r.put(0, e, signal); err != nil {
		return nil, errors.Join(explain(err), e.close())
	}
	return r, nil
}

// describe asks the engines what they are.
func (l *LLM) describe() error {
	for i, r := range l.all {
		var info Info
		err := r.engine.hold(func(c caller) error {
			if err := c.call(&info, "info"); err != nil {
				return err
			}
			return c.call(&l.defaultParams, "default_sampling_params")
		})
		if err != nil {
			return err
		}
		if i == 0 {
			l.info = info
		} else {
			l.info.KVCacheTokens += info.KVCacheTokens
			l.info.LoadTime = max(l.info.LoadTime, info.LoadTime)
		}
	}
	l.maxInEngines = len(l.all) * l.all[0].maxInEngine
	if l.open != nil {
		l.info.DataParallelSize, l.info.Placement, l.info.MPS = len(l.all), l.placement.describe(), usesMPS()
	}
	return json.Unmarshal([]byte(l.defaultParams), &SamplingParams{})
}

// DefaultSamplingParams returns the sampling parameters that the model's authors recommend, from
// its generation_config.json; the zero SamplingParams if they recommend none. Python's LLM.generate
// uses them when it is given none. The caller may change the result.
//
//	params := llm.DefaultSamplingParams()
//	params.MaxTokens = 256
func (l *LLM) DefaultSamplingParams() SamplingParams {
	var params SamplingParams
	_ = json.Unmarshal([]byte(l.defaultParams), &params) // New has tried it
	return params
}

// Info describes the engine.
func (l *LLM) Info() Info { return l.info }

// Close stops all calls, ends the engines with their processes, and waits for that. Later calls of
// other methods return [ErrClosed]. Closing twice is fine. Close kills the processes of an engine
// that has not finished its step after ten seconds.
//
// An engine in its own process gives all its memory back. Of an in-process engine, some stays with
// the process (https://github.com/vllm-project/vllm/issues/21073).
func (l *LLM) Close() error {
	l.once.Do(func() { l.closeErr = l.replicas.close() })
	return l.closeErr
}

// callAll calls a method on all engines, where it must be alone, and converts its results.
func callAll[T any](ctx context.Context, l *LLM, method string, args ...any) ([]T, error) {
	all, err := l.alive(ctx)
	if err != nil {
		return nil, err
	}
	results, errs, wait := make([]T, len(all)), make([]error, len(all)), sync.WaitGroup{}
	for i, r := range all {
		wait.Go(func() {
			err := l.doOn(r, newTask(ctx, r, &results[i], method, args...))
			if errs[i] = err; err != nil && l.open != nil {
				errs[i] = &callError{fmt.Sprintf("replica %d: %s", r.index, messageOf(err)), []error{err}}
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return results, nil
}

// doAll is callAll for a method without a result.
func (l *LLM) doAll(ctx context.Context, method string, args ...any) error {
	_, err := callAll[any](ctx, l, method, args...)
	return err
}

// newTask returns a task that calls a method, on the given replica or, if that is nil, on any.
func newTask(ctx context.Context, at *replica, result any, method string, args ...any) *task {
	return &task{
		callBase: callBase{ctx: ctx, at: at}, run: func(c caller) error { return c.call(result, method, args...) },
	}
}
