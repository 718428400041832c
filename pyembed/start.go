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
	"strings"
	"syscall"
	"unicode/utf8"
	"unsafe"

	"vllmgo/internal/ctxerr"
)

var (
	// starting holds a token while Start runs.
	starting = make(chan struct{}, 1)
	started  *Interpreter
)

//go:embed helpers.py
var helpersSource string

// Start is [StartContext] without a context.
func Start(config Config) (*Interpreter, error) { return StartContext(context.Background(), config) }

// StartContext finds CPython, loads it and initializes it on a new OS thread, which stays Python's
// main thread. A process has one interpreter for its whole life: further calls return the running
// one, or an error when their Config names another Python. There is no way to end it: extension
// modules such as torch's crash when CPython is finalized under them; see [Interpreter.Shutdown].
//
// The search for Python obeys ctx. What follows it takes less than a second, and is not
// interrupted.
//
// Before it loads anything, StartContext runs the python with the environment that the process will
// have. So what would end a python at its start is an error here, and does not end the process.
func StartContext(ctx context.Context, config Config) (*Interpreter, error) {
	select {
	case starting <- struct{}{}:
		defer func() { <-starting }()
	case <-ctx.Done():
		return nil, fmt.Errorf("pyembed: waiting for another Start: %w", ctxerr.Reason(ctx))
	}
	if started != nil {
		return started, started.accept(ctx, config)
	}
	if C.pyembed_foreign() != 0 {
		return nil, errors.New("pyembed: the process runs a Python already, which pyembed did not start: " +
			"a Go library that a Python program loads cannot embed Python, and neither can a program of which another " +
			"library does; run the Go code as a program of its own")
	}
	python, err := Locate(ctx, config)
	if err != nil {
		return nil, err
	}
	for key, value := range config.Env {
		if err := os.Setenv(key, value); err != nil {
			return nil, fmt.Errorf("pyembed: setting %s: %w", key, err)
		}
	}
	if python.locale != "" { // which python itself would set
		if err := os.Setenv("LC_CTYPE", python.locale); err != nil {
			return nil, fmt.Errorf("pyembed: setting LC_CTYPE: %w", err)
		}
	}
	if err := load(python.Library, config.advice()); err != nil {
		return nil, err
	}
	return start(python, config)
}

// start makes the interpreter of the loaded library.
func start(python Python, config Config) (*Interpreter, error) {
	rt := &Interpreter{python: python}
	_, _ = fmt.Sscanf(python.Version, "3.%d", &rt.minor) // Locate has read it
	// A write to a closed pipe must be an error on every thread. Go ends the process for it on
	// threads that Python made, unless somebody asks for the signal. Ignoring it would reach child
	// processes.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	rt.main = rt.newThread(make(chan *job))
	rt.main.isolated = true
	if err := rt.main.start(python); err != nil {
		return nil, fmt.Errorf("pyembed: starting %s: %w", python.Executable, err)
	}
	started = rt // from here on CPython runs, whatever happens
	rt.watcher, rt.sweeper = rt.NewThread(), rt.NewThread()
	rt.watcher.watching = true
	err := rt.main.Do(context.Background(), func(py *Py) error { return rt.setUp(py, config) })
	if err != nil {
		return nil, fmt.Errorf("pyembed: setting %s up: %w", python.Executable, err)
	}
	size := config.MaxThreads
	if size <= 0 {
		size = max(4, runtime.GOMAXPROCS(0))
	}
	rt.pool = newPool(rt, size)
	return rt, nil
}

// accept reports whether the running interpreter satisfies config.
func (rt *Interpreter) accept(ctx context.Context, config Config) error {
	if rt.pool == nil {
		return errors.New("pyembed: Python started but could not be set up; end the process and try again")
	}
	if config.Python != "" {
		if wanted := rt.resolve(ctx, config); wanted != rt.python.Executable {
			return fmt.Errorf("pyembed: the process already runs %s and cannot run %s as well: "+
				"a process has one Python", rt.python.Executable, config.Python)
		}
	}
	for key, value := range config.Env {
		if err := rt.Do(ctx, func(py *Py) error { return py.Setenv(key, value) }); err != nil {
			return err
		}
	}
	return nil
}

// resolve returns the executable that config names: a relative path, a bare name or a wrapper may
// name the running one.
func (rt *Interpreter) resolve(ctx context.Context, config Config) string {
	if _, path, err := config.candidate(); err == nil && path == rt.python.Executable {
		return path
	}
	python, err := Locate(ctx, config)
	if err != nil {
		return ""
	}
	return python.Executable
}

// setUp runs once on Python's main thread.
func (rt *Interpreter) setUp(py *Py, config Config) error {
	if err := py.internNames(); err != nil {
		return err
	}
	helpers, err := py.Module("_pyembed", "pyembed/helpers.py", helpersSource)
	if err != nil {
		return err
	}
	rt.helpers = helpers
	if rt.carried, err = helpers.Attr(py, "carried"); err != nil {
		return err
	}
	endChild, err := helpers.Attr(py, "end_child")
	if err != nil {
		return err
	}
	defer endChild.Release(py)
	C.pyembed_set_end_child(endChild.pointer())
	if err := rt.setUpInterrupts(py); err != nil {
		return err
	}
	if config.SwitchInterval > 0 {
		if _, err := py.setSwitchInterval(config.SwitchInterval.Seconds()); err != nil {
			return err
		}
	}
	return nil
}

// startPython initializes CPython on the calling OS thread.
func startPython(python Python) (*C.PyThreadState, error) {
	name, err := cstring("path of the interpreter", python.Executable)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(name))
	settings := (*C.pyembed_settings)(C.calloc(1, C.sizeof_pyembed_settings))
	defer C.free(unsafe.Pointer(settings))
	settings.program_name, settings.utf8_mode = name, C.int(python.utf8Mode)
	if python.utf8Mode == 1 {
		settings.utf8_program_name = wide(python.Executable)
	}
	var state *C.PyThreadState
	if message := C.pyembed_start(settings, &state); message != nil {
		return nil, takeMessage(message)
	}
	return state, nil
}

// wide decodes UTF-8 as Python does: a byte that is not UTF-8 becomes a lone surrogate. The result
// is not freed.
func wide(text string) *C.wchar_t {
	runes := make([]C.wchar_t, 0, len(text)+1)
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			r = 0xdc00 + rune(text[i])
		}
		runes = append(runes, C.wchar_t(r))
	}
	runes = append(runes, 0)
	size := C.size_t(len(runes)) * C.sizeof_wchar_t
	memory := (*C.wchar_t)(C.malloc(size))
	copy(unsafe.Slice(memory, len(runes)), runes)
	return memory
}
