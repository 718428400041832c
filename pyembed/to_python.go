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
	"unicode/utf8"
	"unsafe"
)

// toPython makes a new reference of a Go value.
func (py *Py) toPython(value any) (*C.PyObject, error) {
	py.check()
	ptr, err := py.encode(value, 0)
	if err != nil {
		return nil, fmt.Errorf("pyembed: cannot convert to Python: %w", err)
	}
	return ptr, nil
}

// encode handles the common types without reflection.
func (py *Py) encode(value any, depth int) (*C.PyObject, error) {
	switch v := value.(type) {
	case nil:
		C.py_Py_IncRef(C.pyembed__Py_NoneStruct)
		return C.pyembed__Py_NoneStruct, nil
	case *Object:
		if v == nil {
			return py.encode(nil, depth)
		}
		C.py_Py_IncRef(v.pointer())
		runtime.KeepAlive(v)
		return v.ptr, nil
	case string:
		return py.encodeString(v)
	case []byte:
		return py.made(C.py_PyBytes_FromStringAndSize((*C.char)(unsafe.Pointer(unsafe.SliceData(v))), C.Py_ssize_t(len(v))))
	case int:
		return py.made(C.py_PyLong_FromLongLong(C.longlong(v)))
	case []int32:
		return py.made(C.pyembed_list_from_int32((*C.int32_t)(unsafe.SliceData(v)), C.Py_ssize_t(len(v))))
	case *big.Int:
		if v == nil {
			return py.encode(nil, depth)
		}
		text := C.CString(v.Text(16))
		defer C.free(unsafe.Pointer(text))
		return py.made(C.py_PyLong_FromString(text, nil, 16))
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels, or a cycle", maxDepth)
	}
	return py.encodeReflect(reflect.ValueOf(value), depth+1)
}

func (py *Py) encodeReflect(v reflect.Value, depth int) (*C.PyObject, error) {
	switch v.Kind() {
	case reflect.Bool:
		var flag C.long
		if v.Bool() {
			flag = 1
		}
		return py.made(C.py_PyBool_FromLong(flag))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return py.made(C.py_PyLong_FromLongLong(C.longlong(v.Int())))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return py.made(C.py_PyLong_FromUnsignedLongLong(C.ulonglong(v.Uint())))
	case reflect.Float32, reflect.Float64:
		return py.made(C.py_PyFloat_FromDouble(C.double(v.Float())))
	case reflect.String:
		return py.encodeString(v.String())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return py.encode(nil, depth)
		}
		return py.encode(v.Elem().Interface(), depth)
	case reflect.Slice, reflect.Array:
		return py.encodeSequence(v, depth)
	case reflect.Map:
		return py.encodeMap(v, depth)
	case reflect.Struct:
		return py.encodeStruct(v, depth)
	}
	return nil, fmt.Errorf("a Go %s has no Python form", v.Type())
}

func (py *Py) encodeString(s string) (*C.PyObject, error) {
	// Lone surrogates, which Python's str may hold, come and go as their WTF-8 bytes; no other invalid UTF-8
	// has a Python form.
	errors := surrogatepass
	if utf8.ValidString(s) {
		errors = nil
	}
	return py.made(C.py_PyUnicode_DecodeUTF8((*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.Py_ssize_t(len(s)), errors))
}

func (py *Py) encodeSequence(v reflect.Value, depth int) (*C.PyObject, error) {
	n := v.Len()
	_, tuple := v.Interface().(Tuple)
	var sequence *C.PyObject
	if tuple {
		sequence = C.py_PyTuple_New(C.Py_ssize_t(n))
	} else {
		sequence = C.py_PyList_New(C.Py_ssize_t(n))
	}
	if sequence == nil {
		return nil, py.raised()
	}
	for i := range n {
		item, err := py.encode(v.Index(i).Interface(), depth)
		if err != nil {
			C.py_Py_DecRef(sequence)
			return nil, at(fmt.Sprintf("[%d]", i), err)
		}
		if tuple { // SetItem takes the reference over
			C.py_PyTuple_SetItem(sequence, C.Py_ssize_t(i), item)
		} else {
			C.py_PyList_SetItem(sequence, C.Py_ssize_t(i), item)
		}
	}
	return sequence, nil
}

func (py *Py) encodeMap(v reflect.Value, depth int) (*C.PyObject, error) {
	dict := C.py_PyDict_New()
	for iter := v.MapRange(); iter.Next(); {
		key := iter.Key().Interface()
		if err := py.encodeEntry(dict, key, iter.Value().Interface(), depth); err != nil {
			C.py_Py_DecRef(dict)
			return nil, at(fmt.Sprintf("[%#v]", key), err)
		}
	}
	return dict, nil
}

func (py *Py) encodeStruct(v reflect.Value, depth int) (*C.PyObject, error) {
	dict := C.py_PyDict_New()
	for name, index := range structFields(v.Type()) {
		if err := py.encodeEntry(dict, name, v.Field(index).Interface(), depth); err != nil {
			C.py_Py_DecRef(dict)
			return nil, at("."+name, err)
		}
	}
	return dict, nil
}

func (py *Py) encodeEntry(dict *C.PyObject, key, value any, depth int) error {
	k, err := py.encode(key, depth)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(k)
	v, err := py.encode(value, depth)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(v)
	return py.status(C.py_PyDict_SetItem(dict, k, v))
}

// made takes the exception when a C function returned no object.
func (py *Py) made(ptr *C.PyObject) (*C.PyObject, error) {
	if ptr == nil {
		return nil, py.raised()
	}
	return ptr, nil
}

// structFields are the exported fields of a struct by their Python names: the py tag or, without one, the
// field's own name. The tag "-" leaves a field out.
func structFields(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		field := t.Field(i)
		name, tagged := field.Tag.Lookup("py")
		if !field.IsExported() || name == "-" {
			continue
		}
		if !tagged {
			name = field.Name
		}
		fields[name] = i
	}
	return fields
}

// pathError says which element of a value is wrong.
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
