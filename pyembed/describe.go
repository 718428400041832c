package pyembed

/*
#include "capi.h"
*/
import "C"

import "runtime/cgo"

// maxChain bounds how many exceptions an Error describes: its causes, contexts and members, and
// theirs.
const maxChain = 64

// describer makes an Error of an exception. It calls no Python function but the exception's own
// __str__ and the like, so that it works at the limits of memory and recursion, too. What fails is
// left out of the Error.
type describer struct {
	py *Py
	// seen holds the exceptions that are described, by their addresses: nil while that goes on.
	seen map[*C.PyObject]*Error
	// count is how many Errors there are.
	count int
}

// describe makes an Error of an exception, which loses the local variables of its frames.
func (py *Py) describe(exception *C.PyObject) *Error {
	d := describer{py: py, seen: make(map[*C.PyObject]*Error, 1)}
	described := d.describe(exception)
	py.clearFrames(exception)
	return described
}

// describe returns a tree of Errors, however the exceptions refer to each other: one that comes
// from itself ends there, and one that was described elsewhere comes without what it comes from.
func (d *describer) describe(exception *C.PyObject) *Error {
	if d.count++; d.count > maxChain {
		return nil
	}
	if described, again := d.seen[exception]; again {
		if described == nil {
			return nil
		}
		leaf := *described
		leaf.Cause, leaf.Context, leaf.Group = nil, nil, nil
		return &leaf
	}
	d.seen[exception] = nil
	py := d.py
	C.py_Py_IncRef(exception)
	e := &Error{exception: py.object(exception)}
	if class := py.quietly(C.py_PyObject_Type(exception)); class != nil {
		defer C.py_Py_DecRef(class)
		e.Type = py.className(class)
		py.each(py.attribute(class, names.mro), func(base *C.PyObject) {
			e.classes = append(e.classes, py.className(base))
		})
	}
	e.Message = d.message(exception)
	e.Frames = py.frames(exception)
	py.each(py.attribute(exception, names.notes), func(note *C.PyObject) {
		if text, ok := py.textOf(note); ok {
			e.Notes = append(e.Notes, text)
		}
	})
	e.goError = py.goError(exception)
	e.Cause = d.related(py.optional(C.py_PyException_GetCause(exception)))
	if suppressed, _ := py.numberAttribute(exception, names.suppressContext); suppressed == 0 {
		e.Context = d.related(py.optional(C.py_PyException_GetContext(exception)))
	}
	if py.isGroup(exception) {
		py.each(py.attribute(exception, names.exceptions), func(member *C.PyObject) {
			if described := d.describe(member); described != nil {
				e.Group = append(e.Group, described)
			}
		})
	}
	d.seen[exception] = e
	return e
}

// related describes an exception and drops the reference to it.
func (d *describer) related(exception *C.PyObject) *Error {
	if exception == nil {
		return nil
	}
	defer C.py_Py_DecRef(exception)
	return d.describe(exception)
}

func (d *describer) message(exception *C.PyObject) string {
	text := d.py.quietly(C.py_PyObject_Str(exception))
	if text == nil {
		return "<no message: __str__ raised>"
	}
	defer C.py_Py_DecRef(text)
	message, ok := d.py.textOf(text)
	if !ok {
		return "<no message: the text cannot be encoded>"
	}
	return message
}

// frames returns the lines of an exception's traceback.
func (py *Py) frames(exception *C.PyObject) []Frame {
	var frames []Frame
	py.eachTraceback(exception, func(traceback, frame *C.PyObject) {
		code := py.attribute(frame, names.code)
		if code == nil {
			return
		}
		defer C.py_Py_DecRef(code)
		line, _ := py.numberAttribute(traceback, names.line)
		frames = append(frames, Frame{
			File:     py.textAttribute(code, names.filename),
			Line:     line,
			Function: py.textAttribute(code, names.qualname),
		})
	})
	return frames
}

// eachTraceback calls fn with each traceback of an exception and its frame.
func (py *Py) eachTraceback(exception *C.PyObject, fn func(traceback, frame *C.PyObject)) {
	traceback := py.optional(C.py_PyException_GetTraceback(exception))
	for traceback != nil && traceback != C.pyembed__Py_NoneStruct {
		if frame := py.attribute(traceback, names.frame); frame != nil {
			fn(traceback, frame)
			C.py_Py_DecRef(frame)
		}
		next := py.attribute(traceback, names.next)
		C.py_Py_DecRef(traceback)
		traceback = next
	}
	if traceback != nil {
		C.py_Py_DecRef(traceback)
	}
}

// The code flags of generators and coroutines; see CPython's code.h.
const suspendable = 0x20 | 0x80 | 0x200

// clearFrames drops the local variables of the frames of an exception, of those that it comes from,
// and of the members of a group: Go may hold the exception for long, and with the frames all that
// they refer to. The lines of the traceback stay. Frames that still run keep their variables. So do
// generators and coroutines before Python 3.13, where clearing one that is only suspended ends it.
func (py *Py) clearFrames(exception *C.PyObject) {
	seen := map[*C.PyObject]bool{}
	C.py_Py_IncRef(exception)
	for chain := []*C.PyObject{exception}; len(chain) > 0; {
		each := chain[len(chain)-1]
		chain = chain[:len(chain)-1]
		if !seen[each] && len(seen) < maxCleared {
			seen[each] = true
			py.eachTraceback(each, func(_, frame *C.PyObject) { py.clearFrame(frame) })
			if py.isGroup(each) { // the attribute of another class may be anything, without an end
				py.each(py.attribute(each, names.exceptions), func(member *C.PyObject) {
					if kindOf(member) == kindException {
						C.py_Py_IncRef(member)
						chain = append(chain, member)
					}
				})
			}
			for _, next := range []*C.PyObject{
				py.optional(C.py_PyException_GetCause(each)), py.optional(C.py_PyException_GetContext(each)),
			} {
				if next != nil {
					chain = append(chain, next)
				}
			}
		}
		defer C.py_Py_DecRef(each) // at the end: an address must not be used again meanwhile
	}
}

// maxCleared bounds how many exceptions are cleared: a class may make new ones without an end.
const maxCleared = 10_000

// isGroup reports whether an exception is a group.
func (py *Py) isGroup(exception *C.PyObject) bool {
	class := py.quietly(C.py_PyObject_Type(exception)) // of an object, it cannot fail
	defer C.py_Py_DecRef(class)
	return C.py_PyType_IsSubtype(class, *C.pyembed_PyExc_BaseExceptionGroup) != 0
}

func (py *Py) clearFrame(frame *C.PyObject) {
	code := py.attribute(frame, names.code)
	if code == nil {
		return
	}
	defer C.py_Py_DecRef(code)
	if flags, ok := py.numberAttribute(code, names.flags); !ok || flags&suspendable != 0 && py.thread.rt.minor < 13 {
		return
	}
	method := py.attribute(frame, names.clear)
	if method == nil {
		return
	}
	defer C.py_Py_DecRef(method)
	arguments := py.quietly(C.py_PyTuple_New(0))
	if arguments == nil {
		return
	}
	defer C.py_Py_DecRef(arguments)
	// A frame that runs refuses.
	if result := py.quietly(C.py_PyObject_Call(method, arguments, nil)); result != nil {
		C.py_Py_DecRef(result)
	}
}

// attribute returns an attribute, or nil.
func (py *Py) attribute(o, name *C.PyObject) *C.PyObject {
	if name == nil { // pyembed is being set up
		return nil
	}
	return py.quietly(C.py_PyObject_GetAttr(o, name))
}

func (py *Py) textAttribute(o, name *C.PyObject) string {
	value := py.attribute(o, name)
	if value == nil {
		return ""
	}
	defer C.py_Py_DecRef(value)
	text, _ := py.textOf(value)
	return text
}

func (py *Py) numberAttribute(o, name *C.PyObject) (int, bool) {
	value := py.attribute(o, name)
	if value == nil {
		return 0, false
	}
	defer C.py_Py_DecRef(value)
	if k := kindOf(value); k != kindInt && k != kindBool {
		return 0, false
	}
	var n C.int64_t
	ok := py.succeeded(C.pyembed_as_int64(value, &n))
	return int(n), ok
}

// each calls fn with the items of a tuple or list, and drops the reference to it. Anything else has
// no items.
func (py *Py) each(sequence *C.PyObject, fn func(item *C.PyObject)) {
	if sequence == nil {
		return
	}
	defer C.py_Py_DecRef(sequence)
	k := kindOf(sequence)
	if k != kindList && k != kindTuple {
		return
	}
	for i := 0; ; i++ {
		item := py.quietly(sequenceItem(sequence, k, i))
		if item == nil {
			return // the end
		}
		fn(item)
		C.py_Py_DecRef(item)
	}
}

// goError returns the Go error that an exception carries; nil for none.
func (py *Py) goError(exception *C.PyObject) error {
	carrier := py.attribute(exception, names.goError)
	if carrier == nil {
		return nil
	}
	defer C.py_Py_DecRef(carrier)
	capsule := py.attribute(carrier, names.capsule)
	if capsule == nil {
		return nil
	}
	defer C.py_Py_DecRef(capsule)
	handle := C.pyembed_handle(capsule)
	if handle == 0 {
		return nil
	}
	err, _ := cgo.Handle(handle).Value().(error)
	return err
}

// className returns the name of a class, with its module unless that is builtins.
func (py *Py) className(class *C.PyObject) string {
	name := py.textAttribute(class, names.className)
	if name == "" {
		name = "object"
	}
	if module := py.textAttribute(class, names.module); module != "" && module != "builtins" {
		return module + "." + name
	}
	return name
}

// names are the names of attributes as str objects, made once for the process's life.
var names struct {
	mro, notes, goError, capsule, suppressContext, exceptions, code, frame, next, line, filename, qualname, flags, clear,
	className, module, name, float, complex *C.PyObject
}

func (py *Py) internNames() error {
	for text, name := range map[string]**C.PyObject{
		"__mro__": &names.mro, "__notes__": &names.notes, "_go_error": &names.goError,
		"capsule":              &names.capsule,
		"__suppress_context__": &names.suppressContext, "exceptions": &names.exceptions,
		"f_code": &names.code, "tb_frame": &names.frame, "tb_next": &names.next, "tb_lineno": &names.line,
		"co_filename": &names.filename, "co_qualname": &names.qualname, "co_flags": &names.flags,
		"clear": &names.clear, "__qualname__": &names.className, "__module__": &names.module,
		"__name__": &names.name, "__float__": &names.float, "__complex__": &names.complex,
	} {
		var err error
		if *name, err = py.encodeString(text); err != nil {
			return err
		}
	}
	return nil
}
