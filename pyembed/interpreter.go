package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// Config says which Python to start and how.
type Config struct {
	// Python is the path of an interpreter or of a virtual environment; empty means the search of [Locate].
	Python string
	// Env is set in the process's environment, and so in os.environ, before Python starts.
	Env map[string]string
	// MaxThreads bounds the OS threads that serve [Interpreter.Do]; 0 means max(4, GOMAXPROCS). Threads are
	// started when needed and kept.
	MaxThreads int
}

// Interpreter is the process's one CPython. Its methods may be called from any goroutine.
type Interpreter struct {
	python Python
	main   *Thread
	pool   *pool
	drops  drops
	// watcher raises exceptions in other threads when their context ends.
	watcher *Thread

	helpers     *Object
	interrupted *Object
}

var (
	startMu sync.Mutex
	started *Interpreter
)

//go:embed helpers.py
var helpersSource string

// Start finds CPython, loads it and initializes it on an OS thread of its own, which stays Python's main
// thread. A process has one interpreter for its whole life: further calls return the running one, or an
// error when their Config names another Python. There is no way to end it: extension modules such as
// torch's crash when CPython is finalized under them.
//
// Start ignores SIGPIPE, as Python does: a write to a closed pipe is an error (EPIPE), not the end of the
// process. Every other signal stays Go's; see the package comment.
func Start(config Config) (*Interpreter, error) {
	startMu.Lock()
	defer startMu.Unlock()
	if started != nil {
		return started, started.accept(config)
	}
	python, err := Locate(config.Python)
	if err != nil {
		return nil, err
	}
	for key, value := range config.Env {
		if err := os.Setenv(key, value); err != nil {
			return nil, fmt.Errorf("pyembed: setting %s: %w", key, err)
		}
	}
	if err := coerceLocale(); err != nil {
		return nil, err
	}
	if err := load(python.Library); err != nil {
		return nil, err
	}
	rt := &Interpreter{python: python}
	rt.main = rt.newThread(make(chan *job))
	if err := rt.main.start(python.Executable); err != nil {
		return nil, fmt.Errorf("pyembed: starting %s: %w", python.Executable, err)
	}
	signal.Ignore(syscall.SIGPIPE)
	started = rt // from here on CPython runs, whatever happens
	if err := rt.main.Do(context.Background(), rt.setUp); err != nil {
		return nil, fmt.Errorf("pyembed: setting %s up: %w", python.Executable, err)
	}
	rt.watcher = rt.NewThread()
	size := config.MaxThreads
	if size <= 0 {
		size = max(4, runtime.GOMAXPROCS(0))
	}
	rt.pool = newPool(rt, size)
	return rt, nil
}

// coerceLocale makes text UTF-8 where no locale is set, as in containers and services: Python would take it for
// ASCII. The python program does the same (PEP 538); an embedded one does not.
func coerceLocale() error {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set counts
		switch os.Getenv(name) {
		case "":
		case "C", "POSIX":
			return os.Setenv(name, "C.UTF-8")
		default:
			return nil
		}
	}
	return os.Setenv("LC_CTYPE", "C.UTF-8")
}

// accept says whether the running interpreter satisfies config.
func (rt *Interpreter) accept(config Config) error {
	if rt.pool == nil {
		return errors.New("pyembed: Python started but could not be set up; end the process and try again")
	}
	if config.Python != "" && interpreterIn(config.Python) != rt.python.Executable {
		return fmt.Errorf("pyembed: the process already runs %s and cannot run %s as well: "+
			"a process has one Python", rt.python.Executable, config.Python)
	}
	for key, value := range config.Env {
		if err := rt.Do(context.Background(), func(py *Py) error { return py.Setenv(key, value) }); err != nil {
			return err
		}
	}
	return nil
}

// setUp runs once on Python's main thread.
func (rt *Interpreter) setUp(py *Py) error {
	helpers, err := py.Module("_pyembed", "pyembed/helpers.py", helpersSource)
	if err != nil {
		return err
	}
	rt.helpers = helpers
	rt.interrupted, err = helpers.Attr(py, "Interrupted")
	return err
}

// Python says which Python runs.
func (rt *Interpreter) Python() Python { return rt.python }

// Do attaches the calling goroutine to the interpreter for the time of fn: fn runs on one of a bounded pool
// of OS threads, holding the GIL, and the [Py] that it gets is the proof of that which every call needs.
// Do returns fn's error. A panic in fn becomes a panic in the caller.
//
// Waiting for a free thread ends with ctx. When ctx ends while Python code runs, an exception that only
// `except BaseException` could catch is raised in that code, and Do returns an error that wraps ctx's.
// Code that does not return to the bytecode loop (a long C call, time.sleep) ends first. Do never returns
// while fn runs.
//
// Inside fn, a nested Do with the same or another context runs at once on the same thread.
func (rt *Interpreter) Do(ctx context.Context, fn func(*Py) error) error {
	if t := rt.current(); t != nil {
		return t.nested(ctx, fn)
	}
	return rt.pool.do(ctx, fn)
}

// Main is Python's main thread, where signal.signal and a few libraries insist on running.
func (rt *Interpreter) Main() *Thread { return rt.main }

// NewThread starts an OS thread that belongs to its owner alone: thread-local state of Python and of C
// libraries (CUDA's current device, OpenMP's pool, CPU affinity) stays between calls and touches nobody
// else. [Thread.Close] ends it.
func (rt *Interpreter) NewThread() *Thread {
	t := rt.newThread(make(chan *job))
	go t.serve(nil)
	return t
}

// startPython initializes CPython on the calling OS thread.
func startPython(executable string) (*C.PyThreadState, error) {
	name := C.CString(executable)
	defer C.free(unsafe.Pointer(name))
	var state *C.PyThreadState
	if message := C.pyembed_start(name, &state); message != nil {
		return nil, takeMessage(message)
	}
	return state, nil
}
