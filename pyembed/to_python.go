package pyembed

/*
#include <stdlib.h>
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
	"unsafe"
)

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
		return py.encodeBytes(v)
	case int:
		return py.made(C.py_PyLong_FromLongLong(C.longlong(v)))
	case float64:
		return py.made(C.py_PyFloat_FromDouble(C.double(v)))
	case []int32:
		return py.made(C.pyembed_list_from_int32((*C.int32_t)(unsafe.SliceData(v)), C.Py_ssize_t(len(v))))
	case []int64:
		return py.made(C.pyembed_list_from_int64((*C.int64_t)(unsafe.SliceData(v)), C.Py_ssize_t(len(v))))
	case []int:
		return py.made(C.pyembed_list_from_int64((*C.int64_t)(unsafe.Pointer(unsafe.SliceData(v))), C.Py_ssize_t(len(v))))
	case []float64:
		return py.made(C.pyembed_list_from_double((*C.double)(unsafe.SliceData(v)), C.Py_ssize_t(len(v))))
	case []string:
		return py.encodeStrings(v, depth)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels, or a cycle", maxDepth)
	}
	if tuple, ok := value.(Tuple); ok {
		return py.encodeTuple(tuple, depth+1)
	}
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return py.encode(nil, depth)
	}
	if encoded, ok, err := py.encodeSpecial(value, depth); ok {
		return encoded, err
	}
	return py.encodeReflect(v, depth+1)
}

// encodeSpecial handles the types with special conversions, and reports whether value is of one.
func (py *Py) encodeSpecial(value any, depth int) (encoded *C.PyObject, ok bool, err error) {
	switch v := value.(type) {
	case Marshaler:
		var o *Object
		if o, err = v.MarshalPython(py); err == nil {
			encoded, err = py.encode(o, depth)
		}
	case time.Time:
		_, offset := v.Zone()
		encoded, err = py.helped("to_datetime", v.Unix(), v.Nanosecond()/1000, offset)
	case *time.Time: // which would be text, by its methods
		return py.encodeSpecial(*v, depth)
	case time.Duration:
		encoded, err = py.helped("to_timedelta", int64(v/time.Microsecond))
	case *big.Int:
		encoded, err = py.encodeBig(v)
	case big.Int:
		encoded, err = py.encodeBig(&v)
	case json.RawMessage:
		if v == nil {
			v = json.RawMessage("null") // as encoding/json has it
		}
		encoded, err = py.helped("from_json", string(v))
	case json.Number:
		encoded, err = py.helped("from_json", string(v))
	case error:
		encoded, err = py.exceptionOf(v)
	case encoding.TextMarshaler:
		var text []byte
		if text, err = v.MarshalText(); err == nil {
			encoded, err = py.encodeString(string(text))
		}
	default:
		return nil, false, nil
	}
	return encoded, true, err
}

// help calls a function of helpers.py that has no result.
func (py *Py) help(function string, args ...any) error {
	result, err := py.thread.rt.helpers.CallMethod(py, function, args...)
	if err != nil {
		return err
	}
	result.Release(py)
	return nil
}

// helped calls a function of helpers.py and returns its result.
func (py *Py) helped(function string, args ...any) (*C.PyObject, error) {
	o, err := py.thread.rt.helpers.CallMethod(py, function, args...)
	if err != nil {
		return nil, err
	}
	defer o.Release(py)
	return py.encode(o, 0)
}

func (py *Py) encodeBig(n *big.Int) (*C.PyObject, error) {
	text := C.CString(n.Text(16))
	defer C.free(unsafe.Pointer(text))
	return py.made(C.py_PyLong_FromString(text, nil, 16))
}

func (py *Py) encodeBytes(b []byte) (*C.PyObject, error) {
	return py.made(C.py_PyBytes_FromStringAndSize((*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.Py_ssize_t(len(b))))
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
	case reflect.Complex64, reflect.Complex128:
		return py.made(C.py_PyComplex_FromDoubles(C.double(real(v.Complex())), C.double(imag(v.Complex()))))
	case reflect.String:
		return py.encodeString(v.String())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return py.encode(nil, depth)
		}
		return py.encode(v.Elem().Interface(), depth)
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return py.encodeBytes(v.Bytes())
		}
		return py.encodeList(v, depth)
	case reflect.Map:
		if v.Type().Elem() == emptyType {
			return py.encodeSet(v, depth)
		}
		return py.encodeMap(v, depth)
	case reflect.Struct:
		return py.encodeStruct(v, depth)
	}
	return nil, fmt.Errorf("a Go %s has no Python form", v.Type())
}

func (py *Py) encodeList(v reflect.Value, depth int) (*C.PyObject, error) {
	n := v.Len()
	list, err := py.made(C.py_PyList_New(C.Py_ssize_t(n)))
	if err != nil {
		return nil, err
	}
	for i := range n {
		item, err := py.encode(v.Index(i).Interface(), depth)
		if err == nil { // SetItem takes the reference over
			err = py.status(C.py_PyList_SetItem(list, C.Py_ssize_t(i), item))
		}
		if err != nil {
			C.py_Py_DecRef(list)
			return nil, at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return list, nil
}

func (py *Py) encodeTuple(items []any, depth int) (*C.PyObject, error) {
	tuple, err := py.made(C.py_PyTuple_New(C.Py_ssize_t(len(items))))
	if err != nil {
		return nil, err
	}
	for i, value := range items {
		item, err := py.encode(value, depth)
		if err == nil { // SetItem takes the reference over
			err = py.status(C.py_PyTuple_SetItem(tuple, C.Py_ssize_t(i), item))
		}
		if err != nil {
			C.py_Py_DecRef(tuple)
			return nil, at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return tuple, nil
}

func (py *Py) encodeStruct(v reflect.Value, depth int) (*C.PyObject, error) {
	known := structFields(v.Type())
	if known.err != nil {
		return nil, known.err
	}
	dict, err := py.made(C.py_PyDict_New())
	if err != nil {
		return nil, err
	}
	for i := range known.fields {
		field := &known.fields[i]
		value, err := v.FieldByIndexErr(field.index)
		// An embedded pointer is nil, or the tag leaves the value out.
		if err != nil || field.omit(value) {
			continue
		}
		if err := py.encodeEntry(dict, reflect.ValueOf(field.name), value, depth); err != nil {
			C.py_Py_DecRef(dict)
			return nil, at("."+field.name, err)
		}
	}
	return dict, nil
}
