package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime/cgo"
)

// Func is a Go function that Python can call: see [Py.Func]. Its result is converted as by [Py.From].
type Func func(py *Py, args []*Object, kwargs map[string]*Object) (any, error)

// goFunc is what a handle in Python stands for.
type goFunc struct {
	rt *Interpreter
	fn Func
}

// Func makes a Python callable of a Go function. The function runs on the thread that calls it, which holds
// the interpreter, and lives as long as the callable does.
//
// An error that it returns is raised in Python: a Python exception as itself, another error as
// _pyembed.GoError, a panic as _pyembed.GoPanic. It must not call runtime.Goexit.
func (py *Py) Func(fn Func) (*Object, error) {
	py.check()
	handle := cgo.NewHandle(&goFunc{py.thread.rt, fn})
	ptr := C.pyembed_function(C.uintptr_t(handle))
	if ptr == nil {
		handle.Delete()
	}
	return py.own(ptr)
}

// pyembedDrop is told that Python has freed the capsule that held the handle.
//
//export pyembedDrop
func pyembedDrop(handle C.uintptr_t) {
	if memory, ok := cgo.Handle(handle).Value().(*lent); ok {
		memory.Unpin()
	}
	cgo.Handle(handle).Delete()
}

//export pyembedCall
func pyembedCall(handle C.uintptr_t, args, kwargs *C.PyObject) *C.PyObject {
	f := cgo.Handle(handle).Value().(*goFunc)
	t := f.rt.current()
	if t == nil { // a thread that Python made
		t = &Thread{rt: f.rt, id: C.py_PyThread_get_thread_ident(), attached: true}
		t.handle = cgo.NewHandle(t)
		C.pyembed_set_current(C.uintptr_t(t.handle))
		defer func() {
			C.pyembed_set_current(0)
			t.handle.Delete()
		}()
	}
	py := &Py{thread: t, ctx: context.Background()}
	defer func() { py.thread = nil }()
	result, err := f.call(py, args, kwargs)
	if err == nil {
		var ptr *C.PyObject
		if ptr, err = py.toPython(result); err == nil {
			return ptr
		}
	}
	py.raise(err)
	return nil
}

// goPanic is a panic on its way to Python.
type goPanic struct{ value any }

func (p goPanic) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (f *goFunc) call(py *Py, args, kwargs *C.PyObject) (result any, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = goPanic{value}
		}
	}()
	var positional []*Object
	if err := py.decodeInto(args, &positional); err != nil {
		return nil, err
	}
	var keywords map[string]*Object
	if kwargs != nil {
		if err := py.decodeInto(kwargs, &keywords); err != nil {
			return nil, err
		}
	}
	return f.fn(py, positional, keywords)
}

// raise makes err the current Python exception.
func (py *Py) raise(err error) {
	var exception *Error
	if errors.As(err, &exception) && exception.exception != nil {
		class := C.py_PyObject_Type(exception.exception.pointer())
		defer C.py_Py_DecRef(class)
		C.py_PyErr_SetObject(class, exception.exception.pointer())
		return
	}
	name := "GoError"
	if _, ok := err.(goPanic); ok {
		name = "GoPanic"
	}
	class, lookupErr := py.thread.rt.helpers.Attr(py, name)
	if lookupErr != nil {
		panic(lookupErr) // helpers.py defines both
	}
	defer class.Release(py)
	message, encodeErr := py.toPython(err.Error())
	if encodeErr != nil { // no valid UTF-8
		message, _ = py.toPython(fmt.Sprintf("%q", err.Error()))
	}
	defer C.py_Py_DecRef(message)
	C.py_PyErr_SetObject(class.pointer(), message)
}
