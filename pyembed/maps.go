package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"encoding"
	"fmt"
	"reflect"
)

func (py *Py) encodeMap(v reflect.Value, depth int) (*C.PyObject, error) {
	dict, err := py.made(C.py_PyDict_New())
	if err != nil {
		return nil, err
	}
	for iter := v.MapRange(); iter.Next(); {
		if err := py.encodeEntry(dict, iter.Key(), iter.Value(), depth); err != nil {
			C.py_Py_DecRef(dict)
			return nil, at(fmt.Sprintf("[%#v]", iter.Key().Interface()), err)
		}
	}
	if err := py.sameSize(dict, v); err != nil {
		C.py_Py_DecRef(dict)
		return nil, err
	}
	return dict, nil
}

func (py *Py) encodeSet(v reflect.Value, depth int) (*C.PyObject, error) {
	set, err := py.made(C.py_PySet_New(nil))
	if err != nil {
		return nil, err
	}
	for iter := v.MapRange(); iter.Next(); {
		item, err := py.encodeKey(iter.Key(), depth)
		if err == nil {
			err = py.status(C.py_PySet_Add(set, item))
			C.py_Py_DecRef(item)
		}
		if err != nil {
			C.py_Py_DecRef(set)
			return nil, at(fmt.Sprintf("[%#v]", iter.Key().Interface()), err)
		}
	}
	if err := py.sameSize(set, v); err != nil {
		C.py_Py_DecRef(set)
		return nil, err
	}
	return set, nil
}

// sameSize returns an error when a Go map has not as many keys as the dict or set that was made
// from it.
func (py *Py) sameSize(o *C.PyObject, v reflect.Value) error {
	n, err := py.size(C.py_PyObject_Size(o))
	if err != nil {
		return err
	}
	return sameKeys(v.Len(), n)
}

// sameKeys returns an error when a Go map and a dict or set, of which one was made from the other,
// have different numbers of keys.
func sameKeys(inGo, inPython int) error {
	if inGo == inPython {
		return nil
	}
	return fmt.Errorf("some keys are equal in one of Go and Python and not in the other, as 1 and 1.0 are: "+
		"%d in Go, %d in Python", inGo, inPython)
}

func (py *Py) encodeEntry(dict *C.PyObject, key, value reflect.Value, depth int) error {
	k, err := py.encodeKey(key, depth)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(k)
	v, err := py.encode(value.Interface(), depth)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(v)
	return py.status(C.py_PyDict_SetItem(dict, k, v))
}

// encodeKey encodes a value that Python must hash: an array becomes a tuple.
func (py *Py) encodeKey(v reflect.Value, depth int) (*C.PyObject, error) {
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	if _, special := v.Interface().(encoding.TextMarshaler); v.Kind() == reflect.Array && !special {
		if depth > maxDepth {
			return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
		}
		keys := make(Tuple, v.Len())
		for i := range keys {
			key, err := py.encodeKey(v.Index(i), depth+1)
			if err != nil {
				return nil, err
			}
			object := py.object(key)
			defer object.Release(py)
			keys[i] = object
		}
		return py.encode(keys, depth+1)
	}
	return py.encode(v.Interface(), depth)
}

// eachItem calls fn with the keys and values that a dict has at the beginning, whatever fn does to
// it.
func (py *Py) eachItem(dict *C.PyObject, fn func(key, value *C.PyObject) error) error {
	items, err := py.made(C.py_PyDict_Items(dict))
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(items)
	n, err := py.size(C.py_PyObject_Size(items))
	if err != nil {
		return err
	}
	for i := range n {
		var pair [3]*C.PyObject
		if pair[0], err = py.made(C.pyembed_list_item(items, C.Py_ssize_t(i))); err != nil {
			return err
		}
		for half := range 2 {
			if pair[half+1], err = py.made(C.pyembed_tuple_item(pair[0], C.Py_ssize_t(half))); err != nil {
				break
			}
		}
		if err == nil {
			err = fn(pair[1], pair[2])
		}
		for _, o := range pair {
			if o != nil {
				C.py_Py_DecRef(o)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (py *Py) decodeMap(o *C.PyObject, v reflect.Value, depth int) error {
	t := v.Type()
	v.Set(reflect.MakeMap(t))
	n := 0
	err := py.eachItem(o, func(k, value *C.PyObject) error {
		key, err := py.decodeKey(k, t.Key(), depth)
		if err != nil {
			return err
		}
		element := reflect.New(t.Elem()).Elem()
		if err := py.decode(value, element, depth+1); err != nil {
			return at(fmt.Sprintf("[%#v]", key.Interface()), err)
		}
		v.SetMapIndex(key, element)
		n++
		return nil
	})
	if err != nil {
		return err
	}
	return sameKeys(v.Len(), n)
}

func (py *Py) decodeSet(o *C.PyObject, v reflect.Value, depth int) error {
	t := v.Type()
	v.Set(reflect.MakeMap(t))
	list, err := py.made(C.py_PySequence_List(o))
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(list)
	n, err := py.size(C.py_PyObject_Size(list))
	for i := 0; i < n && err == nil; i++ {
		var item *C.PyObject
		if item, err = py.made(C.pyembed_list_item(list, C.Py_ssize_t(i))); err != nil {
			break
		}
		var key reflect.Value
		if key, err = py.decodeKey(item, t.Key(), depth); err == nil {
			v.SetMapIndex(key, reflect.Zero(emptyType))
		}
		C.py_Py_DecRef(item)
	}
	if err != nil {
		return err
	}
	return sameKeys(v.Len(), n)
}

// decodeKey decodes a value that Go must hash: in an interface, a tuple becomes an array.
func (py *Py) decodeKey(o *C.PyObject, t reflect.Type, depth int) (reflect.Value, error) {
	key := reflect.New(t).Elem()
	if err := py.decode(o, key, depth+1); err != nil {
		return key, fmt.Errorf("a key: %w", err)
	}
	if t.Kind() == reflect.Interface && !key.IsNil() {
		key.Set(hashable(key.Elem()))
	}
	if !key.Comparable() {
		return key, fmt.Errorf("a key: a Python %s cannot be a Go map's key", py.classNameOf(o))
	}
	return key, nil
}

// hashable turns tuples and bytes, which are slices in Go, into arrays.
func hashable(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Slice {
		return v
	}
	array := reflect.New(reflect.ArrayOf(v.Len(), v.Type().Elem())).Elem()
	for i := range v.Len() {
		array.Index(i).Set(hashable(v.Index(i)))
	}
	return array
}
