package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is a Python exception. It is returned as *Error, for errors.As; its Python classes match [Class]
// values with errors.Is.
//
// It keeps the exception but not its traceback, whose frames would keep all that they refer to as long as the Error is
// held: an exception that goes back to Python begins a new one there.
type Error struct {
	// Type is the exception's class, qualified by its module unless that is builtins: "ValueError",
	// "json.decoder.JSONDecodeError".
	Type string
	// Message is str(exception).
	Message string
	// Frames are the traceback, outermost call first.
	Frames []Frame
	// Cause is the exception named by `raise … from`, Context the one that was being handled; nil if none.
	Cause, Context *Error

	classes []string
	// exception is the Python object itself, for raising it again.
	exception *Object
}

// Frame is one line of a traceback.
type Frame struct {
	File     string
	Line     int
	Function string
}

// Class matches exceptions by class with errors.Is, subclasses included, as Python's except does:
// errors.Is(err, pyembed.Class("OSError")).
type Class string

// Error returns the class's name.
func (c Class) Error() string { return string(c) }

// Error returns the exception's type and message, as the last line of a traceback shows them.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Type
	}
	return e.Type + ": " + e.Message
}

// Is says whether target is a [Class] that the exception belongs to.
func (e *Error) Is(target error) bool {
	class, ok := target.(Class)
	return ok && slices.Contains(e.classes, string(class))
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	if e.Cause == nil {
		return nil
	}
	return e.Cause
}

// Traceback is the exception with its cause or context and their frames, in Python's order: the oldest
// exception first, its innermost call last.
func (e *Error) Traceback() string {
	var b strings.Builder
	e.write(&b)
	return b.String()
}

func (e *Error) write(b *strings.Builder) {
	switch {
	case e.Cause != nil:
		e.Cause.write(b)
		b.WriteString("\nThe above exception was the direct cause of the following exception:\n\n")
	case e.Context != nil:
		e.Context.write(b)
		b.WriteString("\nDuring handling of the above exception, another exception occurred:\n\n")
	}
	for _, frame := range e.Frames {
		fmt.Fprintf(b, "  File %q, line %d, in %s\n", frame.File, frame.Line, frame.Function)
	}
	b.WriteString(e.Error())
	b.WriteByte('\n')
}

// raised takes the current exception and makes a Go error of it.
func (py *Py) raised() error {
	var kind, value, traceback *C.PyObject
	C.py_PyErr_Fetch(&kind, &value, &traceback)
	if kind == nil {
		return errors.New("pyembed: a call failed without raising an exception")
	}
	C.py_PyErr_NormalizeException(&kind, &value, &traceback)
	defer C.py_Py_DecRef(kind)
	defer C.py_Py_DecRef(value)
	if traceback != nil {
		C.py_PyException_SetTraceback(value, traceback)
		C.py_Py_DecRef(traceback)
	}
	described, err := py.describe(value)
	if err != nil {
		return fmt.Errorf("pyembed: an exception that cannot be described: %w", err)
	}
	return described
}

func (py *Py) describe(value *C.PyObject) (*Error, error) {
	helpers := py.thread.rt.helpers
	// While pyembed is being set up there are no helpers; and they may fail, for want of memory or stack.
	if helpers == nil || py.thread.describing {
		text := C.py_PyObject_Repr(value)
		defer C.py_Py_DecRef(text)
		message, err := goString(text)
		return &Error{Type: "exception", Message: message}, err
	}
	py.thread.describing = true
	defer func() { py.thread.describing = false }()
	exception, err := py.borrow(value)
	if err != nil {
		return nil, err
	}
	result, err := helpers.CallMethod(py, "describe", exception)
	if err != nil {
		return nil, err
	}
	defer result.Release(py)
	description, err := As[[]any](py, result)
	if err != nil {
		return nil, err
	}
	e := newError(description)
	e.exception = exception
	return e, nil
}

// newError reads what helpers.py's describe returns.
func newError(description []any) *Error {
	e := &Error{Type: description[0].(string), Message: description[1].(string)}
	for _, class := range description[2].([]any) {
		e.classes = append(e.classes, class.(string))
	}
	for _, item := range description[3].([]any) {
		frame := item.([]any)
		e.Frames = append(e.Frames, Frame{
			File: frame[0].(string), Line: int(frame[1].(int64)), Function: frame[2].(string),
		})
	}
	if cause, ok := description[4].([]any); ok {
		e.Cause = newError(cause)
	}
	if context, ok := description[5].([]any); ok {
		e.Context = newError(context)
	}
	return e
}
