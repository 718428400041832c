package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// New makes an exception of the class, from the arguments that the class takes. A Go function
// returns it to raise it in Python:
//
//	return nil, pyembed.Class("ValueError").New(py, "no such port")
//
// The class is one of Python's builtins, or has its module before it, as in
// "json.decoder.JSONDecodeError". When New cannot make the exception, it returns the error of that.
func (c Class) New(py *Py, args ...any) error {
	class, err := c.find(py)
	if err != nil {
		return err
	}
	defer class.Release(py)
	exception, err := class.Call(py, args...)
	if err != nil {
		return err
	}
	e, err := py.ErrorOf(exception)
	exception.Release(py)
	if err != nil {
		return err
	}
	return e
}

// find imports the class. Its name may be a path of attributes in a module whose name is a path,
// too.
func (c Class) find(py *Py) (*Object, error) {
	parts := strings.Split(string(c), ".")
	if len(parts) == 1 {
		parts = append([]string{"builtins"}, parts...)
	}
	var failure error
	for n := len(parts) - 1; n > 0; n-- {
		found, err := py.Import(strings.Join(parts[:n], "."))
		for _, name := range parts[n:] {
			if err == nil {
				found, err = found.Attr(py, name)
			}
		}
		if err == nil {
			return found, nil
		}
		if failure == nil || !errors.Is(err, Class("ModuleNotFoundError")) {
			failure = err
		}
	}
	return nil, failure
}

// raise makes err the current Python exception.
func (py *Py) raise(err error) {
	exception, failure := py.exceptionOf(err)
	if failure == nil {
		C.pyembed_raise(exception)
		C.py_Py_DecRef(exception)
		return
	}
	// Even GoError cannot be made, at the limits of recursion or memory.
	if e, ok := errors.AsType[*Error](failure); ok && e.exception != nil {
		C.pyembed_raise(e.exception.pointer())
		return
	}
	text := C.CString(err.Error())
	defer C.free(unsafe.Pointer(text))
	C.py_PyErr_SetString(*C.pyembed_PyExc_RuntimeError, text)
}

// exceptionOf returns a new reference to the exception that stands for err: the one that err came
// from, or a GoError or GoPanic that refers to err.
func (py *Py) exceptionOf(err error) (*C.PyObject, error) {
	class, note := "GoError", ""
	message := err.Error()
	if p, ok := err.(*Panic); ok {
		class, message, note = "GoPanic", fmt.Sprintf("panic: %v", p.Value), string(p.Stack)
	} else if e, ok := errors.AsType[*Error](err); ok && e.exception != nil {
		if error(e) != err {
			py.wrap(e.exception, err)
		}
		C.py_Py_IncRef(e.exception.pointer())
		return e.exception.pointer(), nil
	}
	if !utf8.ValidString(message) {
		message = fmt.Sprintf("%q", message)
	}
	capsule, failure := py.carry(err)
	if failure != nil {
		return nil, failure
	}
	defer capsule.Release(py)
	kind, failure := py.thread.rt.helpers.Attr(py, class)
	if failure != nil {
		return nil, failure
	}
	defer kind.Release(py)
	made, failure := py.thread.rt.helpers.CallMethod(
		py,
		"go_error",
		kind,
		message,
		strings.ToValidUTF8(note, "?"),
		capsule,
	)
	if failure != nil {
		return nil, failure
	}
	defer made.Release(py)
	C.py_Py_IncRef(made.pointer())
	return made.pointer(), nil
}

// wrap attaches an error that wraps an exception to it, with its text as a note, so that Go finds
// the error again when the exception comes back from Python. A class may refuse attributes, and
// then the exception comes back alone.
func (py *Py) wrap(exception *Object, err error) {
	capsule, failure := py.carry(err)
	if failure != nil {
		return
	}
	defer capsule.Release(py)
	_ = py.help("wrap", exception, strings.ToValidUTF8(err.Error(), "?"), capsule)
}

// carry makes an object that refers to a Go value and keeps it.
func (py *Py) carry(value any) (*Object, error) {
	handle := cgo.NewHandle(value)
	carrier, err := py.own(C.pyembed_capsule(C.uintptr_t(handle)))
	if err != nil {
		handle.Delete()
	}
	return carrier, err
}
