package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"unsafe"
)

// kind tells Python's built-in types apart, subclasses included.
type kind int

const (
	kindOther kind = iota
	kindNone
	kindBool
	kindInt
	kindFloat
	kindStr
	kindBytes
	kindList
	kindTuple
	kindDict
)

// The bits of PyType_GetFlags that mark subclasses of built-in types; see CPython's object.h.
var subclassFlags = []struct {
	flag C.ulong
	kind kind
}{
	{1 << 24, kindInt}, {1 << 25, kindList}, {1 << 26, kindTuple},
	{1 << 27, kindBytes}, {1 << 28, kindStr}, {1 << 29, kindDict},
}

func kindOf(o *C.PyObject) kind {
	if o == C.pyembed__Py_NoneStruct {
		return kindNone
	}
	class := C.py_PyObject_Type(o)
	defer C.py_Py_DecRef(class)
	if class == C.pyembed_PyBool_Type {
		return kindBool
	}
	flags := C.py_PyType_GetFlags(class)
	for _, candidate := range subclassFlags {
		if flags&candidate.flag != 0 {
			return candidate.kind
		}
	}
	if C.py_PyObject_IsInstance(o, C.pyembed_PyFloat_Type) == 1 {
		return kindFloat
	}
	return kindOther
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

var (
	objectType = reflect.TypeFor[*Object]()
	bigIntType = reflect.TypeFor[*big.Int]()
	bytesType  = reflect.TypeFor[[]byte]()
	int32sType = reflect.TypeFor[[]int32]()
)

func (py *Py) decode(o *C.PyObject, v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels, or a cycle", maxDepth)
	}
	k := kindOf(o)
	switch {
	case v.Type() == objectType:
		object, err := py.borrow(o)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(object))
		return nil
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		value, err := py.decodeAny(o, k, depth)
		if err != nil {
			return err
		}
		if value == nil {
			v.SetZero()
		} else {
			v.Set(reflect.ValueOf(value))
		}
		return nil
	case v.Type() == bigIntType && k == kindInt:
		n, err := py.decodeBig(o)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(n))
		return nil
	case v.Kind() == reflect.Pointer:
		if k == kindNone {
			v.SetZero()
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return py.decode(o, v.Elem(), depth+1)
	}
	switch v.Kind() {
	case reflect.Bool:
		if k == kindBool {
			v.SetBool(C.py_PyObject_IsTrue(o) == 1)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if k == kindInt {
			return py.decodeInt(o, v)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if k == kindInt {
			return py.decodeUint(o, v)
		}
	case reflect.Float32, reflect.Float64:
		if k == kindFloat || k == kindInt {
			f := C.py_PyFloat_AsDouble(o)
			if f == -1 && C.py_PyErr_Occurred() != nil {
				return py.raised()
			}
			v.SetFloat(float64(f))
			return nil
		}
	case reflect.String:
		if k == kindStr {
			s, err := goString(o)
			if err != nil {
				return py.raised()
			}
			v.SetString(s)
			return nil
		}
	case reflect.Slice:
		switch {
		case k == kindBytes && v.Type().ConvertibleTo(bytesType):
			b, err := py.decodeBytes(o)
			v.SetBytes(b)
			return err
		case k == kindList || k == kindTuple:
			return py.decodeSequence(o, k, v, depth)
		}
	case reflect.Array:
		if k == kindList || k == kindTuple {
			return py.decodeSequence(o, k, v, depth)
		}
	case reflect.Map:
		if k == kindDict {
			return py.decodeMap(o, v, depth)
		}
	case reflect.Struct:
		if k == kindDict {
			return py.decodeStruct(o, v, depth)
		}
	}
	return fmt.Errorf("a Python %s has no Go form as %s", className(o), v.Type())
}

// decodeAny decodes into the Go type that fits the Python type best.
func (py *Py) decodeAny(o *C.PyObject, k kind, depth int) (any, error) {
	switch k {
	case kindNone:
		return nil, nil
	case kindBool:
		return C.py_PyObject_IsTrue(o) == 1, nil
	case kindInt:
		var overflow C.int
		n := C.py_PyLong_AsLongLongAndOverflow(o, &overflow)
		if overflow != 0 {
			return py.decodeBig(o)
		}
		return int64(n), nil
	case kindFloat:
		return float64(C.py_PyFloat_AsDouble(o)), nil
	case kindStr:
		s, err := goString(o)
		if err != nil {
			return nil, py.raised()
		}
		return s, nil
	case kindBytes:
		return py.decodeBytes(o)
	case kindList:
		return decodeAs[[]any](py, o, depth)
	case kindTuple:
		return decodeAs[Tuple](py, o, depth)
	case kindDict:
		var pos C.Py_ssize_t
		var key, value *C.PyObject
		for C.py_PyDict_Next(o, &pos, &key, &value) != 0 {
			if kindOf(key) != kindStr {
				return decodeAs[map[any]any](py, o, depth)
			}
		}
		return decodeAs[map[string]any](py, o, depth)
	}
	return py.borrow(o)
}

func decodeAs[T any](py *Py, o *C.PyObject, depth int) (T, error) {
	var value T
	err := py.decode(o, reflect.ValueOf(&value).Elem(), depth)
	return value, err
}

func (py *Py) decodeInt(o *C.PyObject, v reflect.Value) error {
	var overflow C.int
	n := int64(C.py_PyLong_AsLongLongAndOverflow(o, &overflow))
	if overflow != 0 || v.OverflowInt(n) {
		return fmt.Errorf("the int does not fit into %s", v.Type())
	}
	v.SetInt(n)
	return nil
}

func (py *Py) decodeUint(o *C.PyObject, v reflect.Value) error {
	n, err := py.decodeBig(o)
	if err != nil {
		return err
	}
	if !n.IsUint64() || v.OverflowUint(n.Uint64()) {
		return fmt.Errorf("the int does not fit into %s", v.Type())
	}
	v.SetUint(n.Uint64())
	return nil
}

func (py *Py) decodeBig(o *C.PyObject) (*big.Int, error) {
	text, err := py.own(C.py_PyNumber_ToBase(o, 16))
	if err != nil {
		return nil, err
	}
	defer text.Release(py)
	s, err := goString(text.pointer())
	if err != nil {
		return nil, py.raised()
	}
	n, ok := new(big.Int).SetString(strings.Replace(s, "0x", "", 1), 16)
	if !ok {
		return nil, fmt.Errorf("hex(int) returned %q", s)
	}
	return n, nil
}

func (py *Py) decodeBytes(o *C.PyObject) ([]byte, error) {
	var data *C.char
	var n C.Py_ssize_t
	if C.py_PyBytes_AsStringAndSize(o, &data, &n) < 0 {
		return nil, py.raised()
	}
	b := make([]byte, n)
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(data)), n))
	return b, nil
}

func (py *Py) decodeSequence(o *C.PyObject, k kind, v reflect.Value, depth int) error {
	n := int(C.py_PyObject_Size(o))
	get := func(i int) *C.PyObject { return C.py_PyList_GetItem(o, C.Py_ssize_t(i)) }
	if k == kindTuple {
		get = func(i int) *C.PyObject { return C.py_PyTuple_GetItem(o, C.Py_ssize_t(i)) }
	}
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	} else if v.Len() != n {
		return fmt.Errorf("the sequence has %d items, %s has %d", n, v.Type(), v.Len())
	}
	if k == kindList && v.Type() == int32sType {
		return py.decodeInt32s(o, v.Interface().([]int32))
	}
	for i := range n {
		item := get(i) // borrowed
		if item == nil {
			return py.raised() // the list shrank
		}
		if err := py.decode(item, v.Index(i), depth+1); err != nil {
			return at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (py *Py) decodeInt32s(list *C.PyObject, values []int32) error {
	bad := C.pyembed_list_to_int32(list, (*C.int32_t)(unsafe.SliceData(values)), C.Py_ssize_t(len(values)))
	if bad < 0 {
		return nil
	}
	if C.py_PyErr_Occurred() != nil {
		return at(fmt.Sprintf("[%d]", bad), py.raised())
	}
	return at(fmt.Sprintf("[%d]", bad), fmt.Errorf("the int does not fit into int32"))
}

func (py *Py) decodeMap(o *C.PyObject, v reflect.Value, depth int) error {
	t := v.Type()
	v.Set(reflect.MakeMapWithSize(t, int(C.py_PyObject_Size(o))))
	var pos C.Py_ssize_t
	var k, value *C.PyObject // borrowed
	for C.py_PyDict_Next(o, &pos, &k, &value) != 0 {
		key, element := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := py.decode(k, key, depth+1); err != nil {
			return fmt.Errorf("a key: %w", err)
		}
		if !key.Comparable() {
			return fmt.Errorf("a key: %s cannot be a Go map's key", className(k))
		}
		if err := py.decode(value, element, depth+1); err != nil {
			return at(fmt.Sprintf("[%#v]", key.Interface()), err)
		}
		v.SetMapIndex(key, element)
	}
	return nil
}

func (py *Py) decodeStruct(o *C.PyObject, v reflect.Value, depth int) error {
	fields := structFields(v.Type())
	var pos C.Py_ssize_t
	var k, value *C.PyObject // borrowed
	for C.py_PyDict_Next(o, &pos, &k, &value) != 0 {
		if kindOf(k) != kindStr {
			return fmt.Errorf("a key: a Python %s names no field of %s", className(k), v.Type())
		}
		name, err := goString(k)
		if err != nil {
			return py.raised()
		}
		index, ok := fields[name]
		if !ok {
			continue // as encoding/json does
		}
		if err := py.decode(value, v.Field(index), depth+1); err != nil {
			return at("."+name, err)
		}
	}
	return nil
}

var surrogatepass = C.CString("surrogatepass") // for the process's life

var utf8Name = C.CString("utf-8")

// goString is the text of a str, lone surrogates as their WTF-8 bytes. On an error, an exception is set.
func goString(o *C.PyObject) (string, error) {
	var n C.Py_ssize_t
	if text := C.py_PyUnicode_AsUTF8AndSize(o, &n); text != nil {
		return string(unsafe.Slice((*byte)(unsafe.Pointer(text)), n)), nil
	}
	C.py_PyErr_Clear()
	encoded := C.py_PyUnicode_AsEncodedString(o, utf8Name, surrogatepass)
	if encoded == nil {
		return "", fmt.Errorf("a str that cannot be encoded")
	}
	defer C.py_Py_DecRef(encoded)
	var data *C.char
	C.py_PyBytes_AsStringAndSize(encoded, &data, &n)
	return string(unsafe.Slice((*byte)(unsafe.Pointer(data)), n)), nil
}

// className is the name of an object's class, for messages.
func className(o *C.PyObject) string {
	class := C.py_PyObject_Type(o)
	defer C.py_Py_DecRef(class)
	attribute := C.CString("__name__")
	defer C.free(unsafe.Pointer(attribute))
	name := C.py_PyObject_GetAttrString(class, attribute)
	if name == nil {
		C.py_PyErr_Clear()
		return "object"
	}
	defer C.py_Py_DecRef(name)
	text, err := goString(name)
	if err != nil {
		C.py_PyErr_Clear()
		return "object"
	}
	return text
}
