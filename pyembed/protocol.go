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

// Iter iterates over o as Python's for does. An exception ends the iteration: it is yielded with a nil Object.
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
			ptr := C.py_PyIter_Next(iterator.pointer())
			if ptr == nil && C.py_PyErr_Occurred() == nil {
				return
			}
			item, err := py.own(ptr)
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// With runs fn inside the context manager o, as Python's with statement does: fn gets what __enter__ returns,
// and __exit__ is told of fn's error. When __exit__ suppresses the error, With returns nil. A panic in fn
// reaches __exit__ as an exception and goes on afterwards.
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

// exit calls __exit__ and says whether it suppressed err.
func (o *Object) exit(py *Py, err error) (bool, error) {
	args := []any{nil, nil, nil}
	if err != nil {
		py.raise(err)
		var kind, value, traceback *C.PyObject
		C.py_PyErr_Fetch(&kind, &value, &traceback)
		C.py_PyErr_NormalizeException(&kind, &value, &traceback)
		for i, ptr := range []*C.PyObject{kind, value, traceback} {
			if ptr != nil {
				object, err := py.own(ptr)
				if err != nil {
					return false, err
				}
				defer object.Release(py)
				args[i] = object
			}
		}
	}
	result, exitErr := o.CallMethod(py, "__exit__", args...)
	if exitErr != nil {
		return false, exitErr
	}
	defer result.Release(py)
	return result.Truth(py)
}

// Truth is bool(o).
func (o *Object) Truth(py *Py) (bool, error) {
	py.check()
	defer runtime.KeepAlive(o)
	truth := C.py_PyObject_IsTrue(o.pointer())
	if truth < 0 {
		return false, py.raised()
	}
	return truth == 1, nil
}
