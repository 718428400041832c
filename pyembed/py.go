package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"context"
	"os"
	"runtime/cgo"
	"strings"
	"unsafe"
)

// Py is the proof that the calling goroutine holds the interpreter. It is made by Do, is valid until the
// function given to Do returns, and only in the goroutine that runs that function. Using it later panics;
// using it in another goroutine panics when the race detector is on.
type Py struct {
	thread *Thread
	ctx    context.Context
}

// Context is the context given to Do.
func (py *Py) Context() context.Context { return py.ctx }

// check panics when py is no proof any more.
func (py *Py) check() {
	if py.thread == nil {
		panic("pyembed: a Py was used after the Do that made it returned")
	}
	if raceEnabled && cgo.Handle(C.pyembed_current()) != py.thread.handle {
		panic("pyembed: a Py was used in a goroutine other than the one that Do made it for")
	}
	if !py.thread.attached {
		panic("pyembed: a Py was used inside Detach")
	}
}

// Detach runs fn without holding the interpreter, so that other threads run Python code meanwhile. Use it
// around Go code that takes long or waits.
func (py *Py) Detach(fn func()) {
	py.check()
	py.thread.detach()
	defer py.thread.attach()
	fn()
}

// Import imports a module by its dotted name.
func (py *Py) Import(name string) (*Object, error) {
	py.check()
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	return py.own(C.py_PyImport_ImportModule(cname))
}

// Module makes a module of that name from source code, which tracebacks show under the given file name, and
// puts it into sys.modules.
func (py *Py) Module(name, file, source string) (*Object, error) {
	py.check()
	code, err := py.compile(source, file, fileInput)
	if err != nil {
		return nil, err
	}
	defer code.Release(py)
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	module, err := py.borrow(C.py_PyImport_AddModule(cname))
	if err != nil {
		return nil, err
	}
	if err := module.SetAttr(py, "__file__", file); err != nil {
		return nil, err
	}
	// The source goes to linecache, so that tracebacks can show its lines.
	linecache, err := py.Import("linecache")
	if err != nil {
		return nil, err
	}
	defer linecache.Release(py)
	cache, err := linecache.Attr(py, "cache")
	if err != nil {
		return nil, err
	}
	defer cache.Release(py)
	lines := strings.SplitAfter(source, "\n")
	if err := cache.SetItem(py, file, Tuple{len(source), nil, lines, file}); err != nil {
		return nil, err
	}
	result, err := py.evaluate(code, module)
	if err != nil {
		return nil, err
	}
	result.Release(py)
	return module, nil
}

// Eval evaluates one expression. Its names are the module __main__'s.
func (py *Py) Eval(expression string) (*Object, error) { return py.runMain(expression, evalInput) }

// Exec runs statements in the module __main__.
func (py *Py) Exec(statements string) error {
	result, err := py.runMain(statements, fileInput)
	if err != nil {
		return err
	}
	result.Release(py)
	return nil
}

// The start symbols of Py_CompileString; see CPython's compile.h.
const (
	fileInput = 257
	evalInput = 258
)

func (py *Py) compile(source, file string, start C.int) (*Object, error) {
	csource, cfile := C.CString(source), C.CString(file)
	defer C.free(unsafe.Pointer(csource))
	defer C.free(unsafe.Pointer(cfile))
	return py.own(C.py_Py_CompileString(csource, cfile, start))
}

func (py *Py) runMain(source string, start C.int) (*Object, error) {
	py.check()
	code, err := py.compile(source, "<go>", start)
	if err != nil {
		return nil, err
	}
	defer code.Release(py)
	main, err := py.Import("__main__")
	if err != nil {
		return nil, err
	}
	defer main.Release(py)
	return py.evaluate(code, main)
}

func (py *Py) evaluate(code, module *Object) (*Object, error) {
	globals := C.py_PyModule_GetDict(module.pointer()) // borrowed
	return py.own(C.py_PyEval_EvalCode(code.pointer(), globals, globals))
}

// Setenv sets an environment variable for the process (os.Setenv, getenv) and for Python (os.environ), and
// so for child processes that either starts. os.Setenv alone does not reach os.environ once Python runs.
func (py *Py) Setenv(key, value string) error {
	py.check()
	if err := os.Setenv(key, value); err != nil {
		return err
	}
	pyos, err := py.Import("os")
	if err != nil {
		return err
	}
	defer pyos.Release(py)
	environ, err := pyos.Attr(py, "environ")
	if err != nil {
		return err
	}
	defer environ.Release(py)
	return environ.SetItem(py, key, value)
}
