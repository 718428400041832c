package vllmgo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"vllmgo/internal/ctxerr"
	"vllmgo/pyembed"
)

// embedded is an engine in this process's Python.
type embedded struct {
	bridge *bridge
	// The engine has its own OS thread. Torch's current device, its OpenMP pool and vLLM's thread
	// binding belong to the thread that made the engine, and the engine's processes die when that
	// thread does.
	thread *pyembed.Thread
	object *pyembed.Object
	// threadID is what threading.get_ident returns on the engine's thread.
	threadID atomic.Int64
}

// openEmbedded loads an engine. signal is what engine.py's step_for_llm obeys.
func openEmbedded(ctx context.Context, args EngineArgs, kwargs string, signal []int32) (*embedded, error) {
	b, err := openVLLM(ctx)
	if err != nil {
		return nil, err
	}
	if err := abandoned.wait(ctx); err != nil {
		return nil, fmt.Errorf("vllmgo: loading %s: %w", args.Model, err)
	}
	e := &embedded{bridge: b, thread: b.rt.NewThread()}
	firstLine := lines.count()
	loaded := make(chan error, 1)
	go func() { loaded <- e.load(ctx, kwargs, args.EngineMode, signal) }()
	select {
	case err := <-loaded:
		if err != nil {
			e.thread.Close()
			return nil, explainLoading(err, args, firstLine)
		}
		return e, nil
	case <-ctx.Done():
		abandoned.add(func() {
			if <-loaded == nil {
				_ = e.close() // nobody is left to hear of an error
			} else {
				e.thread.Close()
			}
		})
		return nil, fmt.Errorf("vllmgo: loading %s: %w", args.Model, ctxerr.Reason(ctx))
	}
}

// load makes the engine on its thread. The end of ctx raises an exception in the loading code,
// which ends the processes that it started.
func (e *embedded) load(ctx context.Context, kwargs string, mode EngineMode, signal []int32) error {
	return e.thread.Do(context.Background(), func(py *pyembed.Py) error {
		if err := e.noteThread(py); err != nil {
			return err
		}
		if err := e.bridge.syncEnvironment(py); err != nil {
			return err
		}
		lent, err := pyembed.Lend(py, signal)
		if err != nil {
			return err
		}
		defer lent.Release(py)
		finished, watched := make(chan struct{}), make(chan struct{})
		go func() { defer close(watched); e.interruptLoading(ctx, finished) }()
		e.object, err = e.bridge.engine.CallMethod(py, "Engine", kwargs, mode.ownProcess(), lent)
		close(finished)
		py.Detach(func() { <-watched })
		if _, settleErr := e.bridge.module.CallMethod(py, "settle"); settleErr != nil {
			return errors.Join(err, settleErr)
		}
		if exception, ok := errors.AsType[*pyembed.Error](err); ok {
			_, dropErr := e.bridge.module.CallMethod(py, "drop_tracebacks", exception.Exception())
			return errors.Join(err, dropErr)
		}
		return err
	})
}

// ownProcess returns what engine.py's Engine takes for a mode; nil when it is to decide.
func (m EngineMode) ownProcess() any {
	if m == EngineModeAuto {
		return nil
	}
	return m == OwnProcess
}

// noteThread notes by which number Python knows the calling thread.
func (e *embedded) noteThread(py *pyembed.Py) error {
	threading, err := py.Import("threading")
	if err != nil {
		return err
	}
	var id int64
	if err := callInto(py, &id, threading, "get_ident"); err != nil {
		return err
	}
	e.threadID.Store(id)
	return nil
}

func (e *embedded) hold(fn func(c caller) error) error {
	return e.thread.Do(context.Background(), func(py *pyembed.Py) error { return fn(embeddedCaller{py, e.object}) })
}

func (e *embedded) meanwhile(result any, method string, args ...any) error {
	return e.bridge.rt.Do(context.Background(), func(py *pyembed.Py) error {
		return callInto(py, result, e.object, method, args...)
	})
}

func (e *embedded) kill() {
	_ = e.bridge.rt.Do(context.Background(), func(py *pyembed.Py) error {
		_, err := e.object.CallMethod(py, "kill")
		return err
	})
}

func (e *embedded) close() error {
	defer e.thread.Close()
	return e.thread.Do(context.Background(), func(py *pyembed.Py) error {
		defer e.object.Release(py)
		_, err := e.object.CallMethod(py, "close")
		return err
	})
}

// embeddedCaller calls methods on the engine's thread.
type embeddedCaller struct {
	py     *pyembed.Py
	object *pyembed.Object
}

func (c embeddedCaller) call(result any, method string, args ...any) error {
	args = slices.Clone(args)
	for i, arg := range args {
		report, ok := arg.(reportFunc)
		if !ok {
			continue
		}
		args[i] = nil
		if report != nil {
			function, err := c.report(report)
			if err != nil {
				return err
			}
			args[i] = function
		}
	}
	o, err := c.object.CallMethod(c.py, method, args...)
	if err != nil {
		return err
	}
	defer o.Release(c.py)
	if result == nil {
		return nil
	}
	return c.py.Into(o, result)
}

// report makes the Python function that engine.py reports a batch's progress to.
func (c embeddedCaller) report(report reportFunc) (*pyembed.Object, error) {
	return c.py.Func(func(py *pyembed.Py, args []*pyembed.Object, _ map[string]*pyembed.Object) (any, error) {
		finished, err := pyembed.As[int](py, args[0])
		if err != nil {
			return nil, err
		}
		tokens, err := pyembed.As[int](py, args[1])
		report(finished, tokens)
		return nil, err
	})
}
