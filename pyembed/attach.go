package pyembed

/*
#cgo noescape py_PyEval_RestoreThread
#cgo nocallback py_PyEval_RestoreThread
#cgo nocallback py_PyEval_SaveThread
#include "capi.h"
*/
import "C"

import (
	"context"
	"fmt"
	"runtime/cgo"

	"vllmgo/internal/ctxerr"
)

// attach takes the GIL, and waits while another thread has it. A goroutine comes to a thread that
// attaches by [Interpreter.Do], which hands its function to a thread of the pool (pool.go), or by
// [Interpreter.LockThread].
func (t *Thread) attach() {
	C.py_PyEval_RestoreThread(t.state)
	t.attached = true
}

// detach gives the GIL up.
func (t *Thread) detach() {
	t.attached = false
	t.state = C.py_PyEval_SaveThread()
}

// enter runs fn on the thread itself: inside a call that already runs there, or, on a thread of
// LockThread, as a new one.
func (t *Thread) enter(ctx context.Context, fn func(*Py) error) error {
	if t.attached {
		return t.call(ctx, fn)
	}
	t.attach()
	defer t.detach()
	if t.ctx == nil {
		return t.outermost(ctx, fn)
	}
	return t.call(ctx, fn)
}

// outermost runs fn, attached, in a call that is not inside another one.
func (t *Thread) outermost(ctx context.Context, fn func(*Py) error) error {
	C.pyembed_begin()
	if t.isolated {
		py := &Py{thread: t, ctx: ctx}
		context, err := py.made(C.pyembed_context_enter())
		if err != nil {
			return err
		}
		defer C.pyembed_context_exit(context)
	}
	defer C.py_PyErr_Clear()
	if t.watching || !t.rt.drops.pending.Load() {
		return t.call(ctx, fn)
	}
	return t.call(ctx, func(py *Py) error { // so that a finalizer that runs for long ends with ctx
		t.rt.drops.drain()
		if ctx.Err() != nil {
			return waitError(ctx)
		}
		return fn(py)
	})
}

// call runs fn on the thread, attached, until it returns or ctx ends it.
func (t *Thread) call(ctx context.Context, fn func(*Py) error) error {
	if ctx.Err() != nil {
		return waitError(ctx)
	}
	py := &Py{thread: t, ctx: ctx}
	outer := t.ctx
	t.ctx = ctx
	defer func() { py.thread, t.ctx = nil, outer }()
	// Small calls on a thread of LockThread often have the same context.
	restore, err := py.carryContext(outer != nil || t.jobs != nil)
	if err != nil {
		return err
	}
	defer restore()
	if ctx.Done() == nil {
		return fn(py)
	}
	stop := t.watch(ctx)
	interrupted := false
	err = func() error {
		defer func() {
			interrupted = stop()
			t.stopTracing(py)
		}()
		return fn(py)
	}()
	if interrupted && err != nil {
		return fmt.Errorf("pyembed: interrupted: %w (%w)", ctxerr.Reason(ctx), err)
	}
	return err
}

// current returns the Thread that the calling goroutine runs on, or nil.
func (rt *Interpreter) current() *Thread {
	if handle := C.pyembed_current(); handle != 0 {
		return cgo.Handle(handle).Value().(*Thread)
	}
	return nil
}
