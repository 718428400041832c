package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"context"
	"runtime/cgo"
	"strings"
	"unsafe"
)

// Py is the proof that the calling goroutine holds the interpreter. Do makes it. It is valid until
// the function given to Do returns, and only in the goroutine that runs that function. Using it
// later panics. Using it in another goroutine panics when the race detector is on.
type Py struct {
	thread *Thread
	ctx    context.Context
}

// Context returns the context given to Do. In a Go function that Python calls, it is the context of
// the Do that runs on the thread.
//
// On a thread that Python made, no Do runs. There it is the context of the Do whose contextvars the
// thread has. asyncio.to_thread hands them on, contextvars.copy_context().run takes them anywhere,
// and Python 3.14 can give them to each new thread (thread_inherit_context). Otherwise
// threading.Thread and the executors of concurrent.futures hand nothing on, and it is
// context.Background(). So a Python function that gives work to an executor submits
// contextvars.copy_context().run and the work.
func (py *Py) Context() context.Context { return py.ctx }

// check panics when py is not valid any more.
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

// Detach runs fn without holding the interpreter, so that other threads run Python code meanwhile.
// Use it around Go code that takes long or waits. Waiting for a goroutine that calls Do, without
// Detach, is waiting for ever.
func (py *Py) Detach(fn func()) {
	py.check()
	py.thread.detach()
	defer py.thread.attach()
	fn()
}

// Import imports a module by its dotted name.
func (py *Py) Import(name string) (*Object, error) {
	cname, err := py.toPython(name)
	if err != nil {
		return nil, err
	}
	defer C.py_Py_DecRef(cname)
	return py.own(C.py_PyImport_Import(cname))
}

// Module makes a module of that name from source code, which tracebacks show under the given file
// name, and puts it into sys.modules. When the code raises an exception, the module is taken out
// again. When sys.modules has a module of that name already, the code runs in it, as in a reload.
func (py *Py) Module(name, file, source string) (*Object, error) {
	py.check()
	code, err := py.compile(source, file, fileInput)
	if err != nil {
		return nil, err
	}
	defer code.Release(py)
	cname, err := py.toPython(name)
	if err != nil {
		return nil, err
	}
	defer C.py_Py_DecRef(cname)
	existing := py.optional(C.py_PyImport_GetModule(cname))
	if existing != nil {
		defer C.py_Py_DecRef(existing)
	}
	module, err := py.own(C.pyembed_module(cname))
	if err != nil {
		return nil, err
	}
	if err := py.fill(module, file, source, code); err != nil {
		if existing == nil {
			py.forget(cname)
		}
		return nil, err
	}
	return module, nil
}

// fill runs the code of a module in it.
func (py *Py) fill(module *Object, file, source string, code *Object) error {
	builtins, err := py.Import("builtins")
	if err != nil {
		return err
	}
	defer builtins.Release(py)
	// As import does. PyImport_Import needs it where the module's functions call Go functions that
	// import.
	if err := module.SetAttr(py, "__builtins__", builtins); err != nil {
		return err
	}
	if err := module.SetAttr(py, "__file__", file); err != nil {
		return err
	}
	// The source goes to linecache, so that tracebacks can show its lines.
	linecache, err := py.Import("linecache")
	if err != nil {
		return err
	}
	defer linecache.Release(py)
	cache, err := linecache.Attr(py, "cache")
	if err != nil {
		return err
	}
	defer cache.Release(py)
	lines := strings.SplitAfter(source, "\n")
	if err := cache.SetItem(py, file, Tuple{len(source), nil, lines, file}); err != nil {
		return err
	}
	result, err := py.evaluate(code, module)
	if err != nil {
		return err
	}
	result.Release(py)
	return nil
}

// forget takes a module out of sys.modules.
func (py *Py) forget(name *C.PyObject) {
	if modules := py.quietly(C.pyembed_modules()); modules != nil {
		defer C.py_Py_DecRef(modules)
		py.succeeded(C.py_PyDict_DelItem(modules, name)) // the code may have taken it out itself
	}
}

// Eval evaluates one expression. Its names are those of the module __main__.
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
	csource, err := cstring("source code", source)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(csource))
	cfile, err := cstring("file name", file)
	if err != nil {
		return nil, err
	}
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
	globals, err := py.made(C.pyembed_globals(module.pointer()))
	if err != nil {
		return nil, err
	}
	defer C.py_Py_DecRef(globals)
	return py.own(C.py_PyEval_EvalCode(code.pointer(), globals, globals))
}
