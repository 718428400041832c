package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unicode/utf8"
	"unsafe"
)

// For the process's life.
var (
	surrogatepass = C.CString("surrogatepass")
	utf8Name      = C.CString("utf-8")
)

func (py *Py) encodeString(s string) (*C.PyObject, error) {
	// Lone surrogates, which Python's str may hold, come and go as their WTF-8 bytes. Other invalid
	// UTF-8 has no Python form.
	onError := surrogatepass
	if utf8.ValidString(s) {
		onError = nil
	}
	return py.made(
		C.py_PyUnicode_DecodeUTF8((*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.Py_ssize_t(len(s)), onError),
	)
}

var errNoText = errors.New("the str cannot be encoded")

// text returns the text of a str, lone surrogates as their WTF-8 bytes.
func (py *Py) text(o *C.PyObject) (string, error) {
	if text, ok := py.textOf(o); ok {
		return text, nil
	}
	return "", errNoText
}

// textOf is like text. It reports whether o is a str that has a text, and leaves no exception.
func (py *Py) textOf(o *C.PyObject) (string, bool) {
	if kindOf(o) != kindStr {
		return "", false
	}
	var text *C.char
	var n C.Py_ssize_t
	if py.succeeded(C.pyembed_utf8(o, &text, &n)) {
		return goString(text, n), true
	}
	encoded := py.quietly(C.py_PyUnicode_AsEncodedString(o, utf8Name, surrogatepass))
	if encoded == nil {
		return "", false
	}
	defer C.py_Py_DecRef(encoded)
	if !py.succeeded(C.py_PyBytes_AsStringAndSize(encoded, &text, &n)) {
		return "", false
	}
	return goString(text, n), true
}

// goString copies text from C, of any size: C.GoStringN takes 2 GiB at most.
func goString(text *C.char, n C.Py_ssize_t) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(text)), n))
}

// ownText returns the text of a new reference to a str, and drops the reference.
func (py *Py) ownText(result C.PyNew) (string, error) {
	o, err := py.made(result)
	if err != nil {
		return "", err
	}
	defer C.py_Py_DecRef(o)
	text, err := py.text(o)
	if err != nil {
		return "", fmt.Errorf("pyembed: %w", err)
	}
	return text, nil
}

// cstring returns a string for C, to be freed. Where C would take a NUL for the string's end, it is
// an error.
func cstring(what, s string) (*C.char, error) {
	for i := range len(s) {
		if s[i] == 0 {
			return nil, fmt.Errorf("pyembed: the %s has a NUL character at byte %d", what, i)
		}
	}
	return C.CString(s), nil
}
