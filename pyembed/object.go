package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Object is a reference to a Python object. Every method needs a [Py]. Release drops the reference.
// Without Release, that happens some time after the garbage collector finds the Object unreachable:
// see the package comment.
type Object struct {
	ptr     *C.PyObject
	cleanup runtime.Cleanup
}

// Kw holds keyword arguments. Given as the last argument of a call, it is passed as such.
type Kw map[string]any

// Tuple is converted to a Python tuple. Other slices become lists.
type Tuple []any

// object wraps a new reference.
func (py *Py) object(ptr *C.PyObject) *Object {
	o := &Object{ptr: ptr}
	rt := py.thread.rt
	o.cleanup = runtime.AddCleanup(o, rt.abandon, ptr)
	if !py.thread.watching {
		rt.memory.account(rt)
	}
	return o
}

// keep wraps a reference that stays its owner's.
func (py *Py) keep(ptr *C.PyObject) *Object {
	C.py_Py_IncRef(ptr)
	return py.object(ptr)
}

// Release drops the reference now. The Object must not be used afterwards. Release is never
// required. It is worth calling for objects that hold much memory, and in hot loops.
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

// Attr returns an attribute.
func (o *Object) Attr(py *Py, name string) (*Object, error) {
	py.check()
	defer runtime.KeepAlive(o)
	return py.own(
		C.pyembed_getattr(o.pointer(), (*C.char)(unsafe.Pointer(unsafe.StringData(name))), C.Py_ssize_t(len(name))),
	)
}

// SetAttr sets an attribute to a value that [Py.From] converts.
func (o *Object) SetAttr(py *Py, name string, value any) error {
	ptr, err := py.toPython(value)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(ptr)
	return o.setAttr(py, name, ptr)
}

// DelAttr deletes an attribute, as Python's del does.
func (o *Object) DelAttr(py *Py, name string) error { return o.setAttr(py, name, nil) }

func (o *Object) setAttr(py *Py, name string, value *C.PyObject) error {
	cname, err := py.toPython(name)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(cname)
	defer runtime.KeepAlive(o)
	return py.status(C.py_PyObject_SetAttr(o.pointer(), cname, value))
}

// Item returns o[key]. The key is converted as by [Py.From].
func (o *Object) Item(py *Py, key any) (*Object, error) {
	ptr, err := py.toPython(key)
	if err != nil {
		return nil, err
	}
	defer C.py_Py_DecRef(ptr)
	defer runtime.KeepAlive(o)
	return py.own(C.py_PyObject_GetItem(o.pointer(), ptr))
}

// SetItem sets o[key]. The key and the value are converted as by [Py.From].
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

// DelItem deletes o[key], as Python's del does.
func (o *Object) DelItem(py *Py, key any) error {
	k, err := py.toPython(key)
	if err != nil {
		return err
	}
	defer C.py_Py_DecRef(k)
	defer runtime.KeepAlive(o)
	return py.status(C.py_PyObject_DelItem(o.pointer(), k))
}

// Len returns len(o).
func (o *Object) Len(py *Py) (int, error) {
	py.check()
	defer runtime.KeepAlive(o)
	return py.size(C.py_PyObject_Size(o.pointer()))
}

// Truth returns bool(o).
func (o *Object) Truth(py *Py) (bool, error) {
	py.check()
	defer runtime.KeepAlive(o)
	return py.truth(C.py_PyObject_IsTrue(o.pointer()))
}

// Str returns str(o).
func (o *Object) Str(py *Py) (string, error) {
	py.check()
	defer runtime.KeepAlive(o)
	return py.ownText(C.py_PyObject_Str(o.pointer()))
}

// Repr returns repr(o).
func (o *Object) Repr(py *Py) (string, error) {
	py.check()
	defer runtime.KeepAlive(o)
	return py.ownText(C.py_PyObject_Repr(o.pointer()))
}

// comparisons are the operators of PyObject_RichCompare; see CPython's object.h.
var comparisons = map[string]C.int{"<": 0, "<=": 1, "==": 2, "!=": 3, ">": 4, ">=": 5}

// Compare returns bool(o operator value), where the operator is <, <=, ==, !=, > or >=. The value
// is converted as by [Py.From].
func (o *Object) Compare(py *Py, operator string, value any) (bool, error) {
	op, ok := comparisons[operator]
	if !ok {
		return false, fmt.Errorf("pyembed: Compare knows the operators <, <=, ==, !=, > and >=, not %q", operator)
	}
	v, err := py.toPython(value)
	if err != nil {
		return false, err
	}
	defer C.py_Py_DecRef(v)
	defer runtime.KeepAlive(o)
	result, err := py.made(C.py_PyObject_RichCompare(o.pointer(), v, op))
	if err != nil {
		return false, err
	}
	defer C.py_Py_DecRef(result)
	return py.truth(C.py_PyObject_IsTrue(result))
}

// Contains returns value in o. The value is converted as by [Py.From].
func (o *Object) Contains(py *Py, value any) (bool, error) {
	v, err := py.toPython(value)
	if err != nil {
		return false, err
	}
	defer C.py_Py_DecRef(v)
	defer runtime.KeepAlive(o)
	return py.truth(C.py_PySequence_Contains(o.pointer(), v))
}

// IsInstance returns isinstance(o, class).
func (o *Object) IsInstance(py *Py, class *Object) (bool, error) {
	py.check()
	defer runtime.KeepAlive(o)
	defer runtime.KeepAlive(class)
	return py.truth(C.py_PyObject_IsInstance(o.pointer(), class.pointer()))
}

// Call calls o with the arguments, converted as by [Py.From]. A [Kw] as the last one holds keyword
// arguments.
func (o *Object) Call(py *Py, args ...any) (*Object, error) {
	var keywords Kw
	if n := len(args); n > 0 {
		if kw, ok := args[n-1].(Kw); ok {
			args, keywords = args[:n-1], kw
		}
	}
	py.check()
	tuple, err := py.encodeTuple(args, 0)
	if err != nil {
		return nil, fmt.Errorf("pyembed: cannot convert to Python: %w", err)
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
