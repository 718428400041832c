package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"time"
)

// Config configures [Start].
type Config struct {
	// Python names an interpreter or the folder of a virtual environment, by its path or, for an
	// interpreter, by a name that is on PATH. Empty means the search of [Locate].
	Python string
	// Variable is the name of an environment variable that the search asks for the same, such as
	// "MYAPP_PYTHON". Error messages advise to set it. Empty means that the search asks none.
	Variable string
	// Env is set in the process's environment, and so in os.environ, before Python starts.
	Env map[string]string
	// MaxThreads bounds the OS threads that serve [Interpreter.Do]; 0 means max(4, GOMAXPROCS).
	// Threads are started when needed and kept.
	MaxThreads int
	// SwitchInterval is how long a thread that runs Python code keeps the GIL when another one asks
	// for it, as with sys.setswitchinterval. A Do that has to wait for a busy thread waits at least
	// as long. 0 means Python's own 5 ms.
	SwitchInterval time.Duration
}

// Interpreter is the process's one CPython. Its methods may be called from any goroutine.
type Interpreter struct {
	python Python
	// minor is the release: 11 to 14.
	minor  int
	main   *Thread
	pool   *pool
	drops  drops
	memory memory
	// watcher raises exceptions in other threads when their context ends.
	watcher *Thread
	// sweeper drops references that nobody else drops.
	sweeper *Thread

	helpers *Object
	// carried is the context variable that has the context of a call; see carry.go.
	carried *Object
	// interrupted and insistent are the exceptions that it raises, first the one and then the
	// other.
	interrupted, insistent *Object
	// currentFrames is sys._current_frames, and library the folder of Python's own library.
	currentFrames *Object
	library       string
	// loadConst and withExceptStart are the numbers of these opcodes.
	loadConst, withExceptStart byte
}

// Python returns the Python that runs.
func (rt *Interpreter) Python() Python { return rt.python }

// Do attaches the calling goroutine to the interpreter for the time of fn: fn runs on one of a
// bounded pool of OS threads, holding the GIL, and the [Py] that it gets is the proof of that which
// every call needs. Do returns fn's error. A panic in fn becomes a panic in the caller, with a
// [*Panic].
//
// Waiting for a free thread and for the GIL ends with ctx. Do never returns while fn runs. When ctx
// ends while Python code runs, see Cancellation in the package comment, and Do returns an error
// that wraps ctx's.
//
// Each Do has a new contextvars context, so that context variables, and the decimal module's
// precision, do not reach the next one. In a goroutine of [Interpreter.LockThread] they do.
//
// Inside fn, a nested Do with the same or another context runs at once on the same thread. A Do in
// another goroutine that fn waits for needs a second thread, and fn has to wait in
// [Py.Detach]. Otherwise, or when as many such fn wait as there are threads, both wait until their
// contexts end. Use [Interpreter.NewThread] or [Interpreter.LockThread] for such work, or a greater
// [Config.MaxThreads].
func (rt *Interpreter) Do(ctx context.Context, fn func(*Py) error) error {
	if t := rt.current(); t != nil {
		return t.enter(ctx, fn)
	}
	return rt.pool.do(ctx, fn)
}

// Main returns Python's main thread, where signal.signal and a few libraries insist on running.
func (rt *Interpreter) Main() *Thread { return rt.main }

// NewThread starts an OS thread that belongs to its owner alone: thread-local state of Python and
// of C libraries (CUDA's current device, OpenMP's pool, CPU affinity) stays between calls and
// touches nobody else. [Thread.Close] ends it.
func (rt *Interpreter) NewThread() *Thread {
	t := rt.newThread(make(chan *job))
	go t.serve(nil)
	return t
}
