package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"errors"
	"iter"
	"runtime"
)

// Iter iterates over o as Python's for does. An exception ends the iteration: it is yielded with a
// nil Object.
func (o *Object) Iter(py *Py) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		py.check()
		iterator, err := py.own(C.py_PyObject_GetIter(o.pointer()))
		runtime.KeepAlive(o)
		if err != nil {
			yield(nil, err)
			return
		}
		defer iterator.Release(py)
		for {
			var item *C.PyObject
			more, err := py.truth(C.pyembed_next(iterator.pointer(), &item))
			switch {
			case err != nil:
				yield(nil, err)
				return
			case !more || !yield(py.object(item), nil):
				return
			}
		}
	}
}

// With runs fn inside the context manager o, as Python's with statement does: fn gets what
// __enter__ returns, and __exit__ gets fn's error as an exception. When __exit__ suppresses the
// error, With returns nil. A panic in fn reaches __exit__ as an exception and goes on afterwards.
func (o *Object) With(py *Py, fn func(value *Object) error) (err error) {
	value, err := o.CallMethod(py, "__enter__")
	if err != nil {
		return err
	}
	panicked := true
	defer func() {
		if panicked {
			_, _ = o.exit(py, errors.New("panic in Go"))
		}
	}()
	err = fn(value)
	panicked = false
	suppressed, exitErr := o.exit(py, err)
	switch {
	case exitErr != nil:
		return errors.Join(err, exitErr)
	case suppressed:
		return nil
	}
	return err
}

// exit calls __exit__ and reports whether it suppressed err.
func (o *Object) exit(py *Py, err error) (bool, error) {
	args := []any{nil, nil, nil}
	if err != nil {
		value, failure := py.exceptionOf(err)
		if failure != nil {
			return false, failure
		}
		defer C.py_Py_DecRef(value)
		args[1] = py.keep(value)
		kind, failure := py.own(C.py_PyObject_Type(value))
		if failure != nil {
			return false, failure
		}
		args[0] = kind
		if traceback := py.optional(C.py_PyException_GetTraceback(value)); traceback != nil {
			args[2] = py.object(traceback)
		}
	}
	result, exitErr := o.CallMethod(py, "__exit__", args...)
	for _, arg := range args {
		if object, ok := arg.(*Object); ok {
			object.Release(py)
		}
	}
	if exitErr != nil {
		return false, exitErr
	}
	defer result.Release(py)
	return result.Truth(py)
}
