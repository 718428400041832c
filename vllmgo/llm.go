package vllmgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"vllmgo/internal/ctxerr"
	"vllmgo/pyembed"
)

// LLM is one loaded engine: vLLM's offline class of the same name. Any goroutine may call its
// methods; the package's documentation describes how calls share the engine.
type LLM struct {
	bridge *bridge
	// The engine has its own OS thread, the scheduler's. Torch's current device, its OpenMP pool
	// and vLLM's thread binding belong to the thread that made the engine, and the engine's
	// processes die when that thread does.
	scheduler
	info Info
	// defaultParams are DefaultSamplingParams, in JSON.
	defaultParams string
	// threadID is what threading.get_ident returns on the engine's thread.
	threadID atomic.Int64
	closeErr error
	once     sync.Once
}

// New loads a model into an engine. It returns when the engine is ready, which takes seconds to
// minutes.
//
// Wrong settings are errors before loading starts. When ctx ends during loading, New returns at
// once; loading stops in the background, and gives back what was loaded.
func New(ctx context.Context, args EngineArgs) (*LLM, error) {
	kwargs, err := args.kwargs()
	if err != nil {
		return nil, err
	}
	b, err := openVLLM(ctx)
	if err != nil {
		return nil, err
	}
	if err := abandoned.wait(ctx); err != nil {
		return nil, fmt.Errorf("vllmgo: loading %s: %w", args.Model, err)
	}
	l := &LLM{bridge: b, scheduler: scheduler{thread: b.rt.NewThread(), signal: make([]int32, 1)}}
	firstLine := lines.count()
	loaded := make(chan error, 1)
	go func() { loaded <- l.load(ctx, kwargs, args.EngineMode) }()
	select {
	case err := <-loaded:
		if err != nil {
			l.thread.Close()
			return nil, explainLoading(err, args, firstLine)
		}
		return l, nil
	case <-ctx.Done():
		abandoned.add(func() {
			if <-loaded == nil {
				_ = l.Close() // nobody is left to hear of an error
			} else {
				l.thread.Close()
			}
		})
		return nil, fmt.Errorf("vllmgo: loading %s: %w", args.Model, ctxerr.Reason(ctx))
	}
}

// load makes the engine on its thread. The end of ctx raises an exception in the loading code,
// which ends the processes that it started.
func (l *LLM) load(ctx context.Context, kwargs string, mode EngineMode) error {
	var ownProcess any // nil: bridge.py decides
	if mode != EngineModeAuto {
		ownProcess = mode == OwnProcess
	}
	return l.thread.Do(context.Background(), func(py *pyembed.Py) error {
		if err := l.noteThread(py); err != nil {
			return err
		}
		if err := l.bridge.syncEnvironment(py); err != nil {
			return err
		}
		signal, err := pyembed.Lend(py, l.signal)
		if err != nil {
			return err
		}
		defer signal.Release(py)
		finished, watched := make(chan struct{}), make(chan struct{})
		go func() { defer close(watched); l.interruptLoading(ctx, finished) }()
		l.engine, err = l.bridge.engine.CallMethod(py, "Engine", kwargs, ownProcess, signal)
		close(finished)
		py.Detach(func() { <-watched })
		if _, settleErr := l.bridge.module.CallMethod(py, "settle"); settleErr != nil {
			return errors.Join(err, settleErr)
		}
		if exception, ok := errors.AsType[*pyembed.Error](err); ok {
			_, dropErr := l.bridge.module.CallMethod(py, "drop_tracebacks", exception.Exception())
			return errors.Join(err, dropErr)
		}
		if err != nil {
			return err
		}
		if err = l.describe(py); err != nil {
			_, closeErr := l.engine.CallMethod(py, "close")
			return errors.Join(err, closeErr)
		}
		return nil
	})
}

// noteThread notes by which number Python knows the calling thread.
func (l *LLM) noteThread(py *pyembed.Py) error {
	threading, err := py.Import("threading")
	if err != nil {
		return err
	}
	var id int64
	if err := callInto(py, &id, threading, "get_ident"); err != nil {
		return err
	}
	l.threadID.Store(id)
	return nil
}

// describe asks the engine what it is.
func (l *LLM) describe(py *pyembed.Py) error {
	if err := callInto(py, &l.info, l.engine, "info"); err != nil {
		return err
	}
	if err := callInto(py, &l.defaultParams, l.engine, "default_sampling_params"); err != nil {
		return err
	}
	l.maxNumSeqs, l.maxInEngine = l.info.MaxNumSeqs, 2*max(l.info.MaxNumSeqs, maxAddedAtOnce)
	if err := callInto(py, &l.mixesAdapters, l.engine, "mixes_adapters"); err != nil {
		return err
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

// Close stops all calls, ends the engine with its processes, and waits for that. Later calls of
// other methods return [ErrClosed]. Closing twice is fine. Close kills the processes of an engine
// that has not finished its step after ten seconds.
//
// An engine in its own process gives all its memory back. Of an in-process engine, some stays with
// the process (https://github.com/vllm-project/vllm/issues/21073).
func (l *LLM) Close() error {
	l.once.Do(func() {
		if !l.close(l.killProcesses) {
			l.closeErr = errors.New("vllmgo: closing: the engine hangs in a step, and has no process to end: its thread stays")
			return
		}
		l.closeErr = explain(l.thread.Do(context.Background(), func(py *pyembed.Py) error {
			defer l.engine.Release(py)
			_, err := l.engine.CallMethod(py, "close")
			return err
		}))
		l.thread.Close()
	})
	return l.closeErr
}

// killProcesses kills the engine's processes. Its calls then end with ErrEngineDead.
func (l *LLM) killProcesses() {
	_ = l.bridge.rt.Do(context.Background(), func(py *pyembed.Py) error {
		_, err := l.engine.CallMethod(py, "kill")
		return err
	})
}

// callAlone calls a method of the engine that must be alone on it, and converts its result.
func callAlone[T any](ctx context.Context, l *LLM, method string, args ...any) (T, error) {
	var result, zero T
	err := l.do(&task{callBase: callBase{ctx: ctx}, run: func(py *pyembed.Py) error {
		return callInto(py, &result, l.engine, method, args...)
	}})
	if err != nil {
		return zero, err // and not result: a call that does not end in time may still write it
	}
	return result, nil
}

// doAlone is callAlone for a method without a result.
func (l *LLM) doAlone(ctx context.Context, method string, args ...any) error {
	_, err := callAlone[any](ctx, l, method, args...)
	return err
}
