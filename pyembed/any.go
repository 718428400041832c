package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"errors"
	"reflect"
	"time"
)

// decodeInterface decodes into the Go type that fits the Python type best.
func (py *Py) decodeInterface(o *C.PyObject, k kind, v reflect.Value, depth int) error {
	value, err := py.decodeAny(o, k, depth)
	switch {
	case err != nil:
		return err
	case value == nil:
		v.SetZero()
	default:
		v.Set(reflect.ValueOf(value))
	}
	return nil
}

func (py *Py) decodeAny(o *C.PyObject, k kind, depth int) (any, error) {
	switch k {
	case kindNone:
		return nil, nil
	case kindBool:
		return decodeAs[bool](py, o, depth)
	case kindInt:
		n, fits, err := py.asInt64(o)
		if err == nil && !fits {
			return py.decodeBig(o, k)
		}
		return n, err
	case kindFloat:
		return decodeAs[float64](py, o, depth)
	case kindComplex:
		return decodeAs[complex128](py, o, depth)
	case kindStr:
		return py.text(o)
	case kindBytes, kindByteArray:
		return py.decodeBytes(o, k)
	case kindList:
		return decodeAs[[]any](py, o, depth)
	case kindTuple:
		return decodeAs[Tuple](py, o, depth)
	case kindSet:
		return decodeAs[map[any]struct{}](py, o, depth)
	case kindDict:
		return py.decodeDict(o, depth)
	case kindOther:
		return py.decodeOther(o, depth)
	}
	return py.keep(o), nil
}

// decodeDict decodes into a map with string keys, if it has no others.
func (py *Py) decodeDict(o *C.PyObject, depth int) (any, error) {
	others := errors.New("other keys")
	err := py.eachItem(o, func(key, _ *C.PyObject) error {
		if kindOf(key) != kindStr {
			return others
		}
		return nil
	})
	switch err {
	case nil:
		return decodeAs[map[string]any](py, o, depth)
	case others:
		return decodeAs[map[any]any](py, o, depth)
	}
	return nil, err
}

// decodeOther decodes an object of a class that stands for a value: a datetime with a time zone, a
// timedelta, an enum, a scalar of numpy's.
func (py *Py) decodeOther(o *C.PyObject, depth int) (any, error) {
	object := py.keep(o)
	kind, err := py.helpedText("class_of", py.keep(o))
	if err != nil {
		return nil, err
	}
	switch kind {
	case "datetime":
		object.Release(py)
		return decodeAs[time.Time](py, o, depth)
	case "timedelta":
		object.Release(py)
		return decodeAs[time.Duration](py, o, depth)
	case "plain":
		object.Release(py)
		plain, err := py.plain(o)
		if err != nil {
			return nil, err
		}
		defer C.py_Py_DecRef(plain)
		if plain == o {
			return py.keep(o), nil
		}
		return decodeAs[any](py, plain, depth+1)
	}
	return object, nil
}

func decodeAs[T any](py *Py, o *C.PyObject, depth int) (T, error) {
	var value T
	err := py.decode(o, reflect.ValueOf(&value).Elem(), depth)
	return value, err
}

func (py *Py) decodeTime(o *C.PyObject, v reflect.Value) error {
	parts, err := py.parts("from_datetime", o)
	if err != nil {
		return err
	}
	zone := time.UTC
	if offset := int(parts[2]); offset != 0 {
		zone = time.FixedZone("", offset)
	}
	v.Set(reflect.ValueOf(time.Unix(parts[0], parts[1]*1000).In(zone)))
	return nil
}

func (py *Py) decodeDuration(o *C.PyObject, v reflect.Value) error {
	parts, err := py.parts("from_timedelta", o)
	if err != nil {
		return err
	}
	v.SetInt(parts[0])
	return nil
}

// parts calls a function of helpers.py that takes an object to integers.
func (py *Py) parts(function string, o *C.PyObject) ([]int64, error) {
	object := py.keep(o)
	defer object.Release(py)
	list, err := py.helped(function, object)
	if err != nil {
		return nil, err
	}
	defer C.py_Py_DecRef(list)
	return decodeAs[[]int64](py, list, 0)
}
