package vllmgo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"vllmgo/pyembed"
)

// LLM is one loaded engine: vLLM's offline class of the same name. Its methods may be called from any
// goroutine; generations take turns.
type LLM struct {
	bridge *bridge
	// thread is the engine's own OS thread: torch's current device, its OpenMP pool and vLLM's thread binding
	// belong to the thread that made the engine, and the engine's processes die when that thread does.
	thread *pyembed.Thread
	engine *pyembed.Object
	info   Info

	// turn holds a token while nobody generates.
	turn    chan struct{}
	closing chan struct{}
	closed  sync.Once
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
	l := &LLM{
		bridge: b, thread: b.rt.NewThread(),
		turn: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	l.turn <- struct{}{}
	loaded := make(chan error, 1)
	go func() { loaded <- l.load(ctx, kwargs, args.EngineMode) }()
	select {
	case err := <-loaded:
		if err != nil {
			l.thread.Close()
			return nil, explain(err)
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
	err := l.thread.Do(ctx, func(py *pyembed.Py) (err error) {
		l.engine, err = l.bridge.module.CallMethod(py, "Engine", kwargs, ownProcess)
		return err
	})
	if err != nil {
		return err
	}
	// Not under ctx: an engine that is there is either handed out or closed.
	return l.thread.Do(context.Background(), func(py *pyembed.Py) error {
		object, err := l.engine.CallMethod(py, "info")
		if err == nil {
			err = py.Into(object, &l.info)
		}
		if err != nil {
			_, closeErr := l.engine.CallMethod(py, "close")
			err = errors.Join(err, closeErr)
		}
		return err
	})
}

// Info describes the engine.
func (l *LLM) Info() Info { return l.info }

// Close stops a generation that runs, ends the engine with all its processes, and waits for that. Later calls
// of other methods return [ErrClosed]; closing twice is fine.
//
// An engine in a process of its own gives all its memory back. Of an in-process engine, some stays with the
// process (https://github.com/vllm-project/vllm/issues/21073).
func (l *LLM) Close() error {
	var err error
	l.closed.Do(func() {
		close(l.closing)
		<-l.turn // for ever: nobody generates any more
		err = l.thread.Do(context.Background(), func(py *pyembed.Py) error {
			defer l.engine.Release(py)
			_, err := l.engine.CallMethod(py, "close")
			return err
		})
		l.thread.Close()
	})
	return explain(err)
}

// begin waits for the caller's turn to use the engine.
func (l *LLM) begin(ctx context.Context) error {
	select {
	case <-l.closing:
		return fmt.Errorf("vllmgo: %w", ErrClosed)
	default:
	}
	select {
	case <-l.turn:
		return nil
	case <-l.closing:
		return fmt.Errorf("vllmgo: %w", ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("vllmgo: waiting for the engine: %w", reason(ctx))
	}
}

func (l *LLM) end() { l.turn <- struct{}{} }

// interruptible runs fn on the engine's thread. When ctx ends or the LLM is closed, the engine stops between
// two steps, drops its unfinished requests, and is as good as new.
func (l *LLM) interruptible(ctx context.Context, fn func(*pyembed.Py) error) error {
	finished, watched := make(chan struct{}), make(chan error, 1)
	go func() {
		var why error
		select {
		case <-finished:
			watched <- nil
			return
		case <-l.closing:
			why = ErrClosed
		case <-ctx.Done():
			why = reason(ctx)
		}
		l.cancel(true)
		<-finished
		l.cancel(false)
		watched <- why
	}()
	err := l.thread.Do(context.WithoutCancel(ctx), fn)
	close(finished)
	why := <-watched
	if errors.Is(err, pyembed.Class("vllmgo_bridge.Cancelled")) {
		return fmt.Errorf("vllmgo: generation stopped: %w", why)
	}
	return explain(err)
}

// cancel asks the engine to stop before its next step, or to go on.
func (l *LLM) cancel(value bool) {
	// A pool thread takes the GIL between two of the engine's bytecodes; setting an attribute cannot fail.
	_ = l.bridge.rt.Do(context.Background(), func(py *pyembed.Py) error {
		_, err := l.engine.CallMethod(py, "cancel", value)
		return err
	})
}
