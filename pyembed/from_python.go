package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"encoding"
	"fmt"
	"math"
	"math/big"
	"math/cmplx"
	"reflect"
	"strings"
	"unsafe"
)

func (py *Py) decode(o *C.PyObject, v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels, or a cycle", maxDepth)
	}
	k := kindOf(o)
	switch t := v.Type(); {
	case t == objectType:
		v.Set(reflect.ValueOf(py.keep(o)))
		return nil
	case t == anyType || t.Kind() == reflect.Interface && t.NumMethod() == 0:
		return py.decodeInterface(o, k, v, depth)
	case (t == errorType || t == errorPointerType) && k == kindException:
		v.Set(reflect.ValueOf(py.describe(o)))
		return nil
	case t.Kind() == reflect.Pointer:
		if k == kindNone {
			v.SetZero()
			return nil
		}
		v.Set(reflect.New(t.Elem()))
		return py.decode(o, v.Elem(), depth+1)
	case t.PkgPath() != "": // a named type
		if done, err := py.decodeSpecial(o, k, v); done {
			return err
		}
	}
	done, err := py.decodeKind(o, k, v, depth)
	if done || k != kindOther {
		return err
	}
	// An enum stands for its value, and a scalar of numpy's for a number.
	plain, err := py.plain(o)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(plain)
	if plain == o {
		return py.noForm(o, v.Type())
	}
	return py.decode(plain, v, depth+1)
}

func (py *Py) noForm(o *C.PyObject, t reflect.Type) error {
	return fmt.Errorf("a Python %s has no Go form as %s", py.classNameOf(o), t)
}

// classNameOf returns the name of an object's class, for messages.
func (py *Py) classNameOf(o *C.PyObject) string {
	class := py.quietly(C.py_PyObject_Type(o))
	if class == nil {
		return "object"
	}
	defer C.py_Py_DecRef(class)
	return py.textAttribute(class, names.name)
}

func (py *Py) plain(o *C.PyObject) (*C.PyObject, error) {
	object := py.keep(o)
	defer object.Release(py)
	return py.helped("plain", object)
}

// decodeSpecial handles the types with special conversions, and reports whether v is of one.
func (py *Py) decodeSpecial(o *C.PyObject, k kind, v reflect.Value) (done bool, err error) {
	object := func() *Object { return py.keep(o) }
	t := v.Type()
	switch {
	case !v.CanAddr():
		return false, nil
	case reflect.PointerTo(t).Implements(unmarshalerType):
		return true, v.Addr().Interface().(Unmarshaler).UnmarshalPython(py, object())
	case t == timeType:
		return true, py.decodeTime(o, v)
	case t == durationType && k == kindOther: // an int is nanoseconds, by its kind
		return true, py.decodeDuration(o, v)
	case t == bigIntType:
		n, err := py.decodeBig(o, k)
		if err == nil {
			v.Addr().Interface().(*big.Int).Set(n)
		}
		return true, err
	case t == rawMessageType:
		text, err := py.helpedText("to_json", object())
		v.SetBytes([]byte(text))
		return true, err
	case t == jsonNumberType && (k == kindInt || k == kindFloat):
		text, err := py.helpedText("to_json", object())
		v.SetString(text)
		return true, err
	case (k == kindStr || k == kindOther) && reflect.PointerTo(t).Implements(textUnmarshalerType):
		text, err := py.ownText(C.py_PyObject_Str(o))
		if err != nil {
			return true, err
		}
		return true, v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	}
	return false, nil
}

// helpedText calls a function of helpers.py that returns a str, and releases its argument.
func (py *Py) helpedText(function string, o *Object) (string, error) {
	defer o.Release(py)
	text, err := py.helped(function, o)
	if err != nil {
		return "", err
	}
	defer C.py_Py_DecRef(text)
	return py.text(text)
}

// decodeKind decodes what v's kind takes of the object's kind, and reports whether it takes it.
func (py *Py) decodeKind(o *C.PyObject, k kind, v reflect.Value, depth int) (done bool, err error) {
	isNumber := k == kindInt || k == kindBool || k == kindOther && C.py_PyIndex_Check(o) != 0
	switch v.Kind() {
	case reflect.Bool:
		if k == kindBool {
			is, err := py.truth(C.py_PyObject_IsTrue(o))
			v.SetBool(is)
			return true, err
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if isNumber {
			return true, py.decodeInt(o, v)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if isNumber {
			return true, py.decodeUint(o, k, v)
		}
	case reflect.Float32, reflect.Float64:
		if isNumber || k == kindFloat || k == kindOther && py.has(o, names.float) {
			return true, py.decodeFloat(o, v)
		}
	case reflect.Complex64, reflect.Complex128:
		if isNumber || k == kindFloat || k == kindComplex ||
			k == kindOther && (py.has(o, names.complex) || py.has(o, names.float)) {
			n, err := py.decodeComplex(o, k)
			if err == nil && v.OverflowComplex(n) && !cmplx.IsInf(n) {
				err = fmt.Errorf("the complex number %v does not fit into %s", n, v.Type())
			}
			v.SetComplex(n)
			return true, err
		}
	case reflect.String:
		if k == kindStr {
			s, err := py.text(o)
			v.SetString(s)
			return true, err
		}
	case reflect.Slice, reflect.Array:
		return py.decodeElements(o, k, v, depth)
	case reflect.Map:
		if k == kindDict {
			return true, py.decodeMap(o, v, depth)
		}
		if k == kindSet && v.Type().Elem() == emptyType {
			return true, py.decodeSet(o, v, depth)
		}
	case reflect.Struct:
		if k == kindDict {
			return true, py.decodeStruct(o, v, depth)
		}
	}
	return false, py.noForm(o, v.Type())
}

// has reports whether the object has an attribute.
func (py *Py) has(o, name *C.PyObject) bool {
	value := py.attribute(o, name)
	if value == nil {
		return false
	}
	C.py_Py_DecRef(value)
	return true
}

// asInt64 returns an integer, through __index__, and reports whether it fits.
func (py *Py) asInt64(o *C.PyObject) (n int64, fits bool, err error) {
	var value C.int64_t
	overflow, err := py.truth(C.pyembed_as_int64(o, &value))
	return int64(value), !overflow, err
}

func (py *Py) decodeInt(o *C.PyObject, v reflect.Value) error {
	n, fits, err := py.asInt64(o)
	switch {
	case err != nil:
		return err
	case !fits || v.OverflowInt(n):
		return fmt.Errorf("the int does not fit into %s", v.Type())
	}
	v.SetInt(n)
	return nil
}

func (py *Py) decodeUint(o *C.PyObject, k kind, v reflect.Value) error {
	n, err := py.decodeBig(o, k)
	if err != nil {
		return err
	}
	if !n.IsUint64() || v.OverflowUint(n.Uint64()) {
		return fmt.Errorf("the int does not fit into %s", v.Type())
	}
	v.SetUint(n.Uint64())
	return nil
}

func (py *Py) decodeBig(o *C.PyObject, k kind) (*big.Int, error) {
	if k != kindInt && k != kindBool && (k != kindOther || C.py_PyIndex_Check(o) == 0) {
		return nil, py.noForm(o, bigIntType)
	}
	if n, fits, err := py.asInt64(o); err != nil || fits {
		return big.NewInt(n), err
	}
	text, err := py.ownText(C.py_PyNumber_ToBase(o, 16))
	if err != nil {
		return nil, err
	}
	n, ok := new(big.Int).SetString(strings.Replace(text, "0x", "", 1), 16)
	if !ok {
		return nil, fmt.Errorf("hex(int) returned %q", text)
	}
	return n, nil
}

func (py *Py) decodeFloat(o *C.PyObject, v reflect.Value) error {
	var value C.double
	if err := py.status(C.pyembed_as_double(o, &value)); err != nil {
		return err
	}
	f := float64(value)
	if v.OverflowFloat(f) && !math.IsInf(f, 0) {
		return fmt.Errorf("the float %v does not fit into %s", f, v.Type())
	}
	v.SetFloat(f)
	return nil
}

func (py *Py) decodeComplex(o *C.PyObject, k kind) (complex128, error) {
	if k == kindOther { // the functions below do not call __complex__ in 3.11
		object := py.keep(o)
		defer object.Release(py)
		number, err := py.helped("to_complex", object)
		if err != nil {
			return 0, err
		}
		defer C.py_Py_DecRef(number)
		o = number
	}
	var r, i C.double
	err := py.status(C.pyembed_as_complex(o, &r, &i))
	return complex(float64(r), float64(i)), err
}

func (py *Py) decodeBytes(o *C.PyObject, k kind) ([]byte, error) {
	if k == kindBytes {
		var data *C.char
		var n C.Py_ssize_t
		if err := py.status(C.py_PyBytes_AsStringAndSize(o, &data, &n)); err != nil {
			return nil, err
		}
		return append(make([]byte, 0, n), unsafe.Slice((*byte)(unsafe.Pointer(data)), n)...), nil
	}
	object := py.keep(o)
	defer object.Release(py)
	b := []byte{}
	return b, View(py, object, func(values []byte) error { b = append(b, values...); return nil })
}

// decodeElements decodes into a slice or an array.
func (py *Py) decodeElements(o *C.PyObject, k kind, v reflect.Value, depth int) (done bool, err error) {
	switch k {
	case kindBytes, kindByteArray, kindMemoryView:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			break
		}
		b, err := py.decodeBytes(o, k)
		switch {
		case err != nil:
			return true, err
		case v.Kind() == reflect.Slice:
			v.SetBytes(b)
		case len(b) != v.Len():
			return true, fmt.Errorf("there are %d bytes, %s has %d", len(b), v.Type(), v.Len())
		default:
			reflect.Copy(v, reflect.ValueOf(b))
		}
		return true, nil
	case kindList, kindTuple:
		return true, py.decodeSequence(o, k, v, depth)
	case kindSet:
		list, err := py.made(C.py_PySequence_List(o))
		if err != nil {
			return true, err
		}
		defer C.py_Py_DecRef(list)
		return true, py.decodeSequence(list, kindList, v, depth)
	}
	return false, py.noForm(o, v.Type())
}

// sequenceItem returns an item of a list or tuple.
func sequenceItem(o *C.PyObject, k kind, i int) C.PyNew {
	if k == kindTuple {
		return C.pyembed_tuple_item(o, C.Py_ssize_t(i))
	}
	return C.pyembed_list_item(o, C.Py_ssize_t(i))
}

func (py *Py) decodeSequence(o *C.PyObject, k kind, v reflect.Value, depth int) error {
	n, err := py.size(C.py_PyObject_Size(o))
	if err != nil {
		return err
	}
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	} else if v.Len() != n {
		return fmt.Errorf("the sequence has %d items, %s has %d", n, v.Type(), v.Len())
	}
	first := 0
	if k == kindList && v.Kind() == reflect.Slice && v.CanAddr() {
		first = decodeFast(o, v.Addr().Interface())
	}
	for i := first; i < n; i++ {
		item, err := py.made(sequenceItem(o, k, i)) // an error when the list has shrunk meanwhile
		if err != nil {
			return err
		}
		err = py.decode(item, v.Index(i), depth+1)
		C.py_Py_DecRef(item)
		if err != nil {
			return at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (py *Py) decodeStruct(o *C.PyObject, v reflect.Value, depth int) error {
	known := structFields(v.Type())
	if known.err != nil {
		return known.err
	}
	return py.eachItem(o, func(k, value *C.PyObject) error {
		if kindOf(k) != kindStr {
			return fmt.Errorf("a key: %w", py.noForm(k, v.Type()))
		}
		name, err := py.text(k)
		if err != nil {
			return err
		}
		field, ok := known.byName[name]
		if !ok {
			return nil // as encoding/json does
		}
		target, err := fieldOf(v, field.index)
		if err == nil {
			err = py.decode(value, target, depth+1)
		}
		if err != nil {
			return at("."+name, err)
		}
		return nil
	})
}

// fieldOf returns a field, and makes the embedded structs on the way to it.
func fieldOf(v reflect.Value, index []int) (reflect.Value, error) {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, fmt.Errorf("the embedded %s is nil and cannot be set", v.Type())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, nil
}
