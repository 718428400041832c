package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"reflect"
	"runtime/cgo"
)

// A Go function that Python calls on a thread of its own gets the context of the Do that the call
// comes from, if Python's contextvars come from there: each call keeps its context in a context
// variable, and contextvars go where asyncio.to_thread and the like take them.

// carryContext puts the context into the variable. The function that it returns takes it out again,
// if restores is true. Otherwise it stays there until a call has another context.
func (py *Py) carryContext(restores bool) (restore func(), err error) {
	t := py.thread
	if same(py.ctx, t.carrying) {
		return func() {}, nil
	}
	handle := cgo.NewHandle(py.ctx)
	carrier, err := py.made(C.pyembed_capsule(C.uintptr_t(handle)))
	if err != nil {
		handle.Delete()
		return nil, err
	}
	defer C.py_Py_DecRef(carrier)
	variable := t.rt.carried.pointer()
	token, err := py.made(C.py_PyContextVar_Set(variable, carrier))
	if err != nil {
		return nil, err
	}
	before := t.carrying
	t.carrying = py.ctx
	return func() {
		if restores {
			// It fails when Python code left a contextvars context of its own entered.
			py.succeeded(C.py_PyContextVar_Reset(variable, token))
			t.carrying = before
		}
		C.py_Py_DecRef(token)
	}, nil
}

// same reports whether two contexts are the same. Those that are neither pointers nor Background
// may not be comparable, and count as different.
func same(a, b context.Context) bool {
	return (a == context.Background() || reflect.TypeOf(a).Kind() == reflect.Pointer) && a == b
}

// carriedContext returns the context that the variable has on the calling thread.
func (py *Py) carriedContext() context.Context {
	var value *C.PyObject
	if !py.succeeded(C.py_PyContextVar_Get(py.thread.rt.carried.pointer(), nil, &value)) || value == nil {
		return context.Background()
	}
	defer C.py_Py_DecRef(value)
	if handle := C.pyembed_handle(value); handle != 0 {
		if ctx, ok := cgo.Handle(handle).Value().(context.Context); ok {
			return ctx
		}
	}
	return context.Background()
}
