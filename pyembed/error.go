package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Error is a Python exception. Functions return it as an *Error, for errors.As. With errors.Is it
// matches the [Class] values of its classes. When a Go function that Python called returned the
// error that the exception stands for, errors.Is and errors.As find that error, too.
//
// An Error keeps the exception, with its traceback. It drops the local variables of the traceback's
// frames, which would otherwise stay in memory with it. What nested functions and generator
// expressions refer to stays: setting the exception's __traceback__ to None drops that, too.
type Error struct {
	// Type is the exception's class, qualified by its module unless that is builtins: "ValueError",
	// "json.decoder.JSONDecodeError".
	Type string
	// Message is str(exception).
	Message string
	// Frames are the traceback, outermost call first.
	Frames []Frame
	// Cause is the exception named by `raise … from`, Context the one that was being handled; nil
	// if none.
	Cause, Context *Error
	// Notes are what add_note added.
	Notes []string
	// Group holds the members of an exception group.
	Group []*Error

	classes []string
	// exception is the Python object itself.
	exception *Object
	// goError is the error that a Go function returned to Python, or nil.
	goError error
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

// NewError returns e as the Error of an exception that another process raised. The classes are the
// names of its classes as Type has them, its own first, which errors.Is then matches. There is no
// Python object: Exception returns nil.
func NewError(e Error, classes ...string) *Error {
	e.classes = classes
	return &e
}

// Error returns the exception's type and message, as the last line of a traceback shows them.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Type
	}
	return e.Type + ": " + e.Message
}

// Is reports whether target is a [Class] that the exception belongs to.
func (e *Error) Is(target error) bool {
	class, ok := target.(Class)
	return ok && slices.Contains(e.classes, string(class))
}

// Unwrap returns the Go error that the exception stands for, the cause, and the members of the
// group.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.goError != nil {
		errs = append(errs, e.goError)
	}
	if e.Cause != nil {
		errs = append(errs, e.Cause)
	}
	for _, member := range e.Group {
		errs = append(errs, member)
	}
	return errs
}

// Exception returns the exception itself, for its attributes; nil for an Error from [NewError].
func (e *Error) Exception() *Object { return e.exception }

// ErrorOf returns the Error of an exception object, such as a class of Python's called by Go code.
// A Go function that returns it to Python raises the exception. ErrorOf fails when the object is
// not an exception.
func (py *Py) ErrorOf(exception *Object) (*Error, error) {
	py.check()
	defer runtime.KeepAlive(exception)
	if kindOf(exception.pointer()) != kindException {
		return nil, fmt.Errorf("pyembed: a Python %s is not an exception", py.classNameOf(exception.pointer()))
	}
	return py.describe(exception.pointer()), nil
}

// Traceback returns the exception as Python prints it, without the source lines: the oldest
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
	for _, note := range e.Notes {
		b.WriteString(note)
		b.WriteByte('\n')
	}
	for i, member := range e.Group {
		fmt.Fprintf(b, "\nException %d of the group:\n\n", i+1)
		member.write(b)
	}
}
