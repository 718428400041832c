package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Object is a reference to a Python object. Every method needs a [Py]. The reference is dropped by Release
// or, if that is never called, some time after the garbage collector finds the Object unreachable.
type Object struct {
	ptr     *C.PyObject
	cleanup runtime.Cleanup
}

// Kw holds keyword arguments. Given as the last argument of a call, it is passed as such.
type Kw map[string]any

// Tuple is converted to a Python tuple. Other slices become lists.
type Tuple []any

// own wraps a new reference, or takes the raised exception when ptr is nil.
func (py *Py) own(ptr *C.PyObject) (*Object, error) {
	if ptr == nil {
		return nil, py.raised()
	}
	o := &Object{ptr: ptr}
	o.cleanup = runtime.AddCleanup(o, py.thread.rt.abandon, ptr)
	return o, nil
}

// borrow wraps a borrowed reference.
func (py *Py) borrow(ptr *C.PyObject) (*Object, error) {
	if ptr != nil {
		C.py_Py_IncRef(ptr)
	}
	return py.own(ptr)
}

// Release drops the reference now; the Object must not be used any more. It is never required, and worth it
// for objects that hold much memory and in hot loops.
func (o *Object) Release(py *Py) {
	py.check()
	ptr := o.pointer()
	o.cleanup.Stop()
	o.ptr = nil
	C.py_Py_DecRef(ptr)
}

func (o *Object) pointer() *C.PyObject {
	if o.ptr == nil {
		panic("pyembed: an Object was used after its Release")
	}
	return o.ptr
}

// Attr gets an attribute.
func (o *Object) Attr(py *Py, name string) (*Object, error) {
	py.check()
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	defer runtime.KeepAlive(o)
	return py.own(C.py_PyObject_GetAttrString(o.pointer(), cname))
}

// SetAttr sets an attribute to a value that [Py.From] converts.
func (o *Object) SetAttr(py *Py, name string, value any) error {
	ptr, err := py.toPython(value)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(ptr)
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	defer runtime.KeepAlive(o)
	return py.status(C.py_PyObject_SetAttrString(o.pointer(), cname, ptr))
}

// Item gets o[key]; key is converted as by [Py.From].
func (o *Object) Item(py *Py, key any) (*Object, error) {
	ptr, err := py.toPython(key)
	if err != nil {
		return nil, err
	}
	defer C.py_Py_DecRef(ptr)
	defer runtime.KeepAlive(o)
	return py.own(C.py_PyObject_GetItem(o.pointer(), ptr))
}

// SetItem sets o[key]; key and value are converted as by [Py.From].
func (o *Object) SetItem(py *Py, key, value any) error {
	k, err := py.toPython(key)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(k)
	v, err := py.toPython(value)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(v)
	defer runtime.KeepAlive(o)
	return py.status(C.py_PyObject_SetItem(o.pointer(), k, v))
}

// Len is len(o).
func (o *Object) Len(py *Py) (int, error) {
	py.check()
	defer runtime.KeepAlive(o)
	n := C.py_PyObject_Size(o.pointer())
	if n < 0 {
		return 0, py.raised()
	}
	return int(n), nil
}

// Call calls o with the arguments, converted as by [Py.From]. A [Kw] as the last one holds keyword arguments.
func (o *Object) Call(py *Py, args ...any) (*Object, error) {
	var keywords Kw
	if n := len(args); n > 0 {
		if kw, ok := args[n-1].(Kw); ok {
			args, keywords = args[:n-1], kw
		}
	}
	tuple, err := py.toPython(Tuple(args))
	if err != nil {
		return nil, err
	}
	defer C.py_Py_DecRef(tuple)
	var dict *C.PyObject
	if len(keywords) > 0 {
		if dict, err = py.toPython(map[string]any(keywords)); err != nil {
			return nil, err
		}
		defer C.py_Py_DecRef(dict)
	}
	defer runtime.KeepAlive(o)
	return py.own(C.py_PyObject_Call(o.pointer(), tuple, dict))
}

// CallMethod calls the method name of o, as [Object.Call] does.
func (o *Object) CallMethod(py *Py, name string, args ...any) (*Object, error) {
	method, err := o.Attr(py, name)
	if err != nil {
		return nil, err
	}
	defer method.Release(py)
	return method.Call(py, args...)
}

// status turns the result of a C function that returns -1 on failure into an error.
func (py *Py) status(result C.int) error {
	if result < 0 {
		return py.raised()
	}
	return nil
}
