package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
	"runtime/cgo"
	"sync"
	"sync/atomic"
)

// Thread is one OS thread that is known to Python and keeps its thread state until it is closed.
// Calls from several goroutines take turns.
type Thread struct {
	rt *Interpreter
	// jobs are the calls from other goroutines, or nil when the thread is its goroutine's alone.
	jobs chan *job
	// handle stands for the Thread in C; see [Interpreter.current].
	handle cgo.Handle
	state  *C.PyThreadState
	// id is what threading.get_ident returns on the thread.
	id C.ulong
	// isolated gives each call a new contextvars context.
	isolated bool
	// attached is true when the thread holds the GIL. Only the thread itself uses it.
	attached bool
	// ctx is the context of the innermost call, or nil. Only the thread itself uses it.
	ctx context.Context
	// carrying is the context that Python's contextvars have on the thread; see carry.go.
	carrying context.Context
	// insisting is true when an exception is raised again when code catches it; see
	// [Interpreter.setUpInterrupts].
	insisting atomic.Bool
	// caught receives a value when code catches such an exception, and timesCaught counts them.
	// Only the thread itself uses timesCaught.
	caught      chan struct{}
	timesCaught int
	// watching is true for the watcher, which runs no code of others: no finalizers.
	watching bool
	closing  chan struct{}
	ended    chan struct{}
	once     sync.Once
}

// Errors of [Thread.Do].
var (
	// ErrThreadClosed means that the thread has ended.
	ErrThreadClosed = errors.New("pyembed: the thread is closed")
	// ErrOtherGoroutine means that the thread belongs to the goroutine that called
	// [Interpreter.LockThread].
	ErrOtherGoroutine = errors.New("pyembed: the thread belongs to the goroutine that called LockThread; " +
		"call Do there, or use Interpreter.Do or NewThread")
)

func (rt *Interpreter) newThread(jobs chan *job) *Thread {
	return &Thread{
		rt: rt, jobs: jobs, carrying: context.Background(),
		caught: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}),
	}
}

// start makes the thread initialize CPython, which makes it Python's main thread, and waits for
// that.
func (t *Thread) start(python Python) error {
	result := make(chan error)
	go t.serve(func() error {
		state, err := startPython(python)
		t.state = state
		result <- err
		return err
	})
	return <-result
}

// serve is the thread's life. The goroutine is never unlocked, so that the OS thread, whose
// affinity a library may have changed, ends with it and does not return to Go's pool.
func (t *Thread) serve(initialize func() error) {
	runtime.LockOSThread()
	defer close(t.ended)
	if initialize == nil {
		t.state = C.pyembed_thread_begin()
	} else if initialize() != nil {
		return
	}
	t.begin()
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

// begin registers the thread with C and Python.
func (t *Thread) begin() {
	t.handle = cgo.NewHandle(t)
	C.pyembed_set_current(C.uintptr_t(t.handle))
	t.id = C.py_PyThread_get_thread_ident()
}

func (t *Thread) end() {
	t.attach()
	t.rt.drops.drain()
	t.detach()
	C.pyembed_set_current(0)
	t.handle.Delete()
	C.pyembed_thread_end(t.state)
}

// Do is like [Interpreter.Do], on this thread. On a thread of [Interpreter.NewThread] or
// [Interpreter.LockThread], context variables stay from call to call.
func (t *Thread) Do(ctx context.Context, fn func(*Py) error) error {
	current := t.rt.current()
	if current == t {
		return t.enter(ctx, fn)
	}
	if t.jobs == nil {
		select {
		case <-t.ended:
			return ErrThreadClosed
		default:
			return ErrOtherGoroutine
		}
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

// Close ends the thread once its current call has returned, and waits for that. Closing twice is
// fine. A thread of [Interpreter.LockThread] is closed by its goroutine, outside Do, which unlocks
// the goroutine. Other threads must not be closed from a call that runs on them. [Interpreter.Main]
// cannot be closed.
func (t *Thread) Close() {
	switch {
	case t == t.rt.main:
		panic("pyembed: Close of Python's main thread")
	case t.jobs == nil:
		t.unlock()
	default:
		t.once.Do(func() { close(t.closing) })
		<-t.ended
	}
}

// run serves one job on the thread itself.
func (t *Thread) run(j *job) {
	defer close(j.done)
	t.attach()
	defer t.detach()
	if !j.claim() {
		return
	}
	returned := false
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				j.panicked = recovered(value)
			} else {
				// runtime.Goexit, as testing's FailNow calls it: it ends this goroutine, and so the
				// thread.
				j.exited = true
			}
		}
	}()
	j.err = t.outermost(j.ctx, j.fn)
	returned = true
}
