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
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"runtime/debug"
	"sync"
)

// Thread is one OS thread that is known to Python and keeps its thread state for as long as it lives.
// Calls from several goroutines take turns.
type Thread struct {
	rt   *Interpreter
	jobs chan *job
	// handle stands for the Thread in C; see [Interpreter.current].
	handle cgo.Handle
	state  *C.PyThreadState
	// id is what threading.get_ident returns on the thread.
	id C.ulong
	// attached says whether the thread holds the GIL. Only the thread itself uses it.
	attached bool
	// describing says that the thread is turning an exception into an Error.
	describing bool
	closing    chan struct{}
	ended      chan struct{}
	once       sync.Once
}

// ErrThreadClosed is returned by [Thread.Do] when the thread has ended.
var ErrThreadClosed = errors.New("pyembed: the thread is closed")

func (rt *Interpreter) newThread(jobs chan *job) *Thread {
	return &Thread{rt: rt, jobs: jobs, closing: make(chan struct{}), ended: make(chan struct{})}
}

// start makes the thread initialize CPython, which makes it Python's main thread, and waits for that.
func (t *Thread) start(executable string) error {
	result := make(chan error)
	go t.serve(func() error {
		state, err := startPython(executable)
		t.state = state
		result <- err
		return err
	})
	return <-result
}

// serve is the thread's life. The goroutine is never unlocked, so that the OS thread, whose affinity a
// library may have changed, ends with it and does not return to Go's pool.
func (t *Thread) serve(initialize func() error) {
	runtime.LockOSThread()
	defer close(t.ended)
	if initialize == nil {
		t.state = C.pyembed_thread_begin()
	} else if initialize() != nil {
		return
	}
	t.handle = cgo.NewHandle(t)
	C.pyembed_set_current(C.uintptr_t(t.handle))
	t.id = C.py_PyThread_get_thread_ident()
	defer t.end()
	for {
		select {
		case j := <-t.jobs:
			t.run(j)
		case <-t.closing:
			return
		}
	}
}

func (t *Thread) end() {
	t.attach()
	t.rt.drops.drain()
	t.detach()
	t.handle.Delete()
	C.pyembed_thread_end(t.state)
}

// Do is like [Interpreter.Do], on this thread.
func (t *Thread) Do(ctx context.Context, fn func(*Py) error) error {
	current := t.rt.current()
	if current == t {
		return t.nested(ctx, fn)
	}
	if current != nil && current.attached {
		// Waiting for another thread with the GIL held would be waiting for ever.
		current.detach()
		defer current.attach()
	}
	j := newJob(ctx, fn)
	select {
	case t.jobs <- j:
		return j.wait()
	case <-ctx.Done():
		return waitError(ctx)
	case <-t.ended:
		return ErrThreadClosed
	}
}

// Close ends the thread once its current call has returned, and waits for that. Closing twice is fine.
// It must not be called from the thread itself, nor on [Interpreter.Main].
func (t *Thread) Close() {
	if t == t.rt.main {
		panic("pyembed: Close of Python's main thread")
	}
	t.once.Do(func() { close(t.closing) })
	<-t.ended
}

func (t *Thread) attach() {
	C.py_PyEval_RestoreThread(t.state)
	t.attached = true
}

func (t *Thread) detach() {
	t.attached = false
	t.state = C.py_PyEval_SaveThread()
}

// run serves one job on the thread itself.
func (t *Thread) run(j *job) {
	defer close(j.done)
	t.attach()
	defer t.detach()
	t.rt.drops.drain()
	returned := false
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				j.panicked = fmt.Sprintf("%v\n\n%s", value, debug.Stack())
			} else {
				// runtime.Goexit, as testing's FailNow calls it: it ends this goroutine, and so the thread.
				j.exited = true
			}
		}
		C.py_PyErr_Clear()
	}()
	j.err = t.call(j.ctx, j.fn)
	returned = true
}

// nested runs fn inside a function that already runs on the thread.
func (t *Thread) nested(ctx context.Context, fn func(*Py) error) error {
	if !t.attached {
		t.attach()
		defer t.detach()
	}
	return t.call(ctx, fn)
}

// call runs fn on the thread, attached, until it returns or ctx ends it.
func (t *Thread) call(ctx context.Context, fn func(*Py) error) error {
	if ctx.Err() != nil {
		return waitError(ctx)
	}
	py := &Py{thread: t, ctx: ctx}
	defer func() { py.thread = nil }()
	if ctx.Done() == nil {
		return fn(py)
	}
	stop := t.watch(ctx)
	interrupted := false
	err := func() error {
		defer func() { interrupted = stop() }()
		return fn(py)
	}()
	if interrupted && err != nil {
		return fmt.Errorf("pyembed: interrupted: %w (%w)", reason(ctx), err)
	}
	return err
}

// watch raises Interrupted in the thread when ctx ends. The function that it returns, called on the thread,
// stops that, takes an exception back that was not delivered yet, and says whether one was raised.
func (t *Thread) watch(ctx context.Context) (stop func() bool) {
	finished := make(chan struct{})
	unregister := context.AfterFunc(ctx, func() {
		defer close(finished)
		// The watcher has a thread of its own, so that a pool full of busy threads cannot hold it up. It is
		// never closed, so Do cannot fail.
		_ = t.rt.watcher.Do(context.Background(), func(*Py) error {
			C.py_PyThreadState_SetAsyncExc(t.id, t.rt.interrupted.ptr)
			return nil
		})
	})
	return func() bool {
		if unregister() {
			return false
		}
		t.detach()
		<-finished
		t.attach()
		C.py_PyThreadState_SetAsyncExc(t.id, nil)
		return true
	}
}

// current is the Thread that the calling goroutine runs on, or nil.
func (rt *Interpreter) current() *Thread {
	if handle := C.pyembed_current(); handle != 0 {
		return cgo.Handle(handle).Value().(*Thread)
	}
	return nil
}
