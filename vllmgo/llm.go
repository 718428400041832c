package vllmgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"vllmgo/pyembed"
)

// LLM is one loaded engine: vLLM's offline class of the same name. Its methods may be called from any
// goroutine; see the package's documentation for how calls share the engine.
type LLM struct {
	bridge *bridge
	// The scheduler's thread is the engine's own OS thread: torch's current device, its OpenMP pool and vLLM's
	// thread binding belong to the thread that made the engine, and the engine's processes die when that thread does.
	scheduler
	info Info
	// defaultParams are DefaultSamplingParams, in JSON.
	defaultParams string
	closeErr      error
	once          sync.Once
}

// New loads a model into an engine. It returns when the engine is ready, which takes seconds to minutes.
//
// Wrong settings are errors before loading starts. When ctx ends during loading, New returns at once; what
// was loaded by then is given back in the background.
func New(ctx context.Context, args EngineArgs) (*LLM, error) {
	kwargs, err := args.kwargs()
	if err != nil {
		return nil, err
	}
	b, err := openBridge(ctx)
	if err != nil {
		return nil, err
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
		go func() {
			if <-loaded == nil {
				_ = l.Close() // nobody is left to hear of an error
			} else {
				l.thread.Close()
			}
		}()
		return nil, fmt.Errorf("vllmgo: loading %s: %w", args.Model, reason(ctx))
	}
}

// load makes the engine on its thread. The end of ctx raises an exception in the loading code, which ends the
// processes that it started.
func (l *LLM) load(ctx context.Context, kwargs string, mode EngineMode) error {
	var ownProcess any // nil: bridge.py decides
	if mode != EngineModeAuto {
		ownProcess = mode == OwnProcess
	}
	err := l.bridge.rt.Main().Do(ctx, func(py *pyembed.Py) error {
		_, err := l.bridge.module.CallMethod(py, "prepare_torch")
		return err
	})
	if err != nil {
		return err
	}
	err = l.thread.Do(ctx, func(py *pyembed.Py) (err error) {
		signal, err := pyembed.Lend(py, l.signal)
		if err != nil {
			return err
		}
		defer signal.Release(py)
		l.engine, err = l.bridge.engine.CallMethod(py, "Engine", kwargs, ownProcess, signal)
		return err
	})
	if err != nil {
		return err
	}
	// Not under ctx: an engine that is there is either handed out or closed.
	err = l.thread.Do(context.Background(), func(py *pyembed.Py) error {
		object, err := l.engine.CallMethod(py, "info")
		if err == nil {
			err = py.Into(object, &l.info)
		}
		if err == nil {
			err = callInto(py, &l.defaultParams, l.engine, "default_sampling_params")
		}
		if err == nil {
			err = json.Unmarshal([]byte(l.defaultParams), &SamplingParams{})
		}
		if err != nil {
			_, closeErr := l.engine.CallMethod(py, "close")
			err = errors.Join(err, closeErr)
		}
		return err
	})
	l.maxNumSeqs, l.maxInEngine = l.info.MaxNumSeqs, 2*max(l.info.MaxNumSeqs, maxAddedAtOnce)
	// On a CPU, vLLM's LoRA kernels apply an adapter to requests without one (punica_cpu.py: index -1 is the last slot).
	l.mixesAdapters = l.info.Device != "cpu"
	return err
}

// DefaultSamplingParams returns the sampling parameters that the model's authors recommend, from its
// generation_config.json; the zero SamplingParams if they recommend none. Python's LLM.generate uses them when it is
// given none. The caller may change the result.
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

// Close stops what runs, ends the engine with all its processes, and waits for that. Later calls of other methods
// return [ErrClosed]; closing twice is fine.
//
// An engine in a process of its own gives all its memory back. Of an in-process engine, some stays with the
// process (https://github.com/vllm-project/vllm/issues/21073).
func (l *LLM) Close() error {
	l.once.Do(func() {
		l.close()
		l.closeErr = explain(l.thread.Do(context.Background(), func(py *pyembed.Py) error {
			defer l.engine.Release(py)
			_, err := l.engine.CallMethod(py, "close")
			return err
		}))
		l.thread.Close()
	})
	return l.closeErr
}

// callAlone calls a method of the engine that must be alone on it. It converts the method's result to result, a pointer
// or nil.
func (l *LLM) callAlone(ctx context.Context, result any, method string, args ...any) error {
	return l.do(&task{callBase: callBase{ctx: ctx}, run: func(py *pyembed.Py) error {
		o, err := l.engine.CallMethod(py, method, args...)
		if err != nil {
			return err
		}
		defer o.Release(py)
		if result == nil {
			return nil
		}
		return py.Into(o, result)
	}})
}
