package pyembed

/*
#include "capi.h"
*/
import "C"

import "errors"

// A C function that can fail returns a struct. The functions of this file are the only ones that
// look into it, and each makes an error of the failure. TestResultsAreChecked finds a result that
// none of them gets.

// made returns a new reference.
func (py *Py) made(result C.PyNew) (*C.PyObject, error) {
	if result.or_null == nil {
		return nil, py.raised()
	}
	return result.or_null, nil
}

// own returns a new reference as an Object.
func (py *Py) own(result C.PyNew) (*Object, error) {
	if result.or_null == nil {
		return nil, py.raised()
	}
	return py.object(result.or_null), nil
}

// status returns the error of a function that has no other result.
func (py *Py) status(result C.PyStatus) error {
	if result.or_negative < 0 {
		return py.raised()
	}
	return nil
}

// truth returns the answer of a function whose result is true or false.
func (py *Py) truth(result C.PyStatus) (bool, error) {
	return result.or_negative > 0, py.status(result)
}

// size returns a size.
func (py *Py) size(result C.PySize) (int, error) {
	if result.or_negative < 0 {
		return 0, py.raised()
	}
	return int(result.or_negative), nil
}

// optional returns a new reference, or nil when there is none.
func (py *Py) optional(result C.PyOptional) *C.PyObject { return result.or_none }

// quietly returns a new reference, or nil without the exception, where a failure does not matter.
func (py *Py) quietly(result C.PyNew) *C.PyObject {
	if result.or_null == nil {
		C.py_PyErr_Clear()
	}
	return result.or_null
}

// succeeded reports whether a function succeeded, without the exception, where a failure does not
// matter.
func (py *Py) succeeded(result C.PyStatus) bool {
	if result.or_negative < 0 {
		C.py_PyErr_Clear()
	}
	return result.or_negative >= 0
}

// raised takes the current exception and makes a Go error of it.
func (py *Py) raised() error {
	exception := py.optional(C.pyembed_raised())
	if exception == nil {
		return errors.New("pyembed: a call failed without raising an exception")
	}
	defer C.py_Py_DecRef(exception)
	return py.describe(exception)
}
