package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"runtime/cgo"
)

// Func is a Go function that Python can call: see [Py.Func]. Its result is converted as by
// [Py.From].
type Func func(py *Py, args []*Object, kwargs map[string]*Object) (any, error)

// goFunc is what a handle in Python stands for.
type goFunc struct {
	rt *Interpreter
	fn Func
}

// Func makes a Python callable of a Go function. The function runs on the thread that calls it,
// which holds the interpreter, and is kept while the callable is. It gets the context of the Do
// that calls it: see [Py.Context].
//
// An error that it returns is raised in Python: a Python exception as itself, another error as
// _pyembed.GoError, a panic as _pyembed.GoPanic. When such an exception comes back to Go, errors.Is
// and errors.As find the error or the [*Panic] in it. The function must not call runtime.Goexit.
//
// In a process that Python forks, Go does not run: there the callable raises RuntimeError.
func (py *Py) Func(fn Func) (*Object, error) {
	py.check()
	handle := cgo.NewHandle(&goFunc{py.thread.rt, fn})
	function, err := py.own(C.pyembed_function(C.uintptr_t(handle)))
	if err != nil {
		handle.Delete()
	}
	return function, err
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
		t.carrying = (&Py{thread: t}).carriedContext()
		t.ctx = t.carrying
		t.handle = cgo.NewHandle(t)
		C.pyembed_set_current(C.uintptr_t(t.handle))
		defer func() {
			C.pyembed_set_current(0)
			t.handle.Delete()
		}()
	}
	ctx := t.ctx
	if ctx == nil { // a destructor, outside any Do
		ctx = context.Background()
	}
	py := &Py{thread: t, ctx: ctx}
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

func (f *goFunc) call(py *Py, args, kwargs *C.PyObject) (result any, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = recovered(value)
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
