package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"runtime"
	"time"
)

// maxDepth bounds the nesting of converted values, so that a cycle is an error and not a crash.
const maxDepth = 500

// Marshaler is a Go type that converts itself to Python. [Py.From] uses it before any other rule.
type Marshaler interface {
	MarshalPython(py *Py) (*Object, error)
}

// Unmarshaler is a Go type that converts a Python object into itself. [As] uses it before any other
// rule.
type Unmarshaler interface {
	UnmarshalPython(py *Py, o *Object) error
}

// From converts a Go value to a new Python object; see the package comment for the rules. The error
// names the path of the element that cannot be converted, such as ["prompts"][3].
func (py *Py) From(value any) (*Object, error) {
	ptr, err := py.toPython(value)
	if err != nil {
		return nil, err
	}
	return py.object(ptr), nil
}

// As converts a Python object to a Go value of type T; see the package comment for the rules.
// Numbers that do not fit, and values of another kind, are errors that name the element's path.
func As[T any](py *Py, o *Object) (T, error) {
	var result T
	return result, py.Into(o, &result)
}

// Into is [As] with the place for the result given: target is a non-nil pointer.
func (py *Py) Into(o *Object, target any) error {
	py.check()
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("pyembed: Into needs a non-nil pointer, not %T", target)
	}
	defer runtime.KeepAlive(o)
	return py.decodeInto(o.pointer(), target)
}

func (py *Py) decodeInto(o *C.PyObject, target any) error {
	if err := py.decode(o, reflect.ValueOf(target).Elem(), 0); err != nil {
		return fmt.Errorf("pyembed: cannot convert to Go: %w", err)
	}
	return nil
}

// toPython makes a new reference of a Go value.
func (py *Py) toPython(value any) (*C.PyObject, error) {
	py.check()
	ptr, err := py.encode(value, 0)
	if err != nil {
		return nil, fmt.Errorf("pyembed: cannot convert to Python: %w", err)
	}
	return ptr, nil
}

// Types with special conversions.
var (
	anyType             = reflect.TypeFor[any]()
	errorType           = reflect.TypeFor[error]()
	errorPointerType    = reflect.TypeFor[*Error]()
	objectType          = reflect.TypeFor[*Object]()
	bigIntType          = reflect.TypeFor[big.Int]()
	timeType            = reflect.TypeFor[time.Time]()
	durationType        = reflect.TypeFor[time.Duration]()
	rawMessageType      = reflect.TypeFor[json.RawMessage]()
	jsonNumberType      = reflect.TypeFor[json.Number]()
	emptyType           = reflect.TypeFor[struct{}]()
	unmarshalerType     = reflect.TypeFor[Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// kind is a built-in type of Python, subclasses included. The numbers are capi.h's.
type kind int

const (
	kindOther      kind = C.PYEMBED_OTHER
	kindNone       kind = C.PYEMBED_NONE
	kindBool       kind = C.PYEMBED_BOOL
	kindInt        kind = C.PYEMBED_INT
	kindFloat      kind = C.PYEMBED_FLOAT
	kindComplex    kind = C.PYEMBED_COMPLEX
	kindStr        kind = C.PYEMBED_STR
	kindBytes      kind = C.PYEMBED_BYTES
	kindByteArray  kind = C.PYEMBED_BYTEARRAY
	kindMemoryView kind = C.PYEMBED_MEMORYVIEW
	kindList       kind = C.PYEMBED_LIST
	kindTuple      kind = C.PYEMBED_TUPLE
	kindSet        kind = C.PYEMBED_SET
	kindDict       kind = C.PYEMBED_DICT
	kindException  kind = C.PYEMBED_EXCEPTION
)

func kindOf(o *C.PyObject) kind { return kind(C.pyembed_kind(o)) }

// pathError names the element of a value that is wrong.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// at puts one step in front of the error's path.
func at(step string, err error) error {
	if inner, ok := err.(*pathError); ok {
		return &pathError{step + inner.path, inner.err}
	}
	return &pathError{step, err}
}
