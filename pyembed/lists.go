package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// encodeStrings makes a list of str in one call of C.
func (py *Py) encodeStrings(values []string, depth int) (*C.PyObject, error) {
	lengths := make([]C.Py_ssize_t, len(values))
	for i, s := range values {
		if !utf8.ValidString(s) {
			return py.encode(anys(values), depth)
		}
		lengths[i] = C.Py_ssize_t(len(s))
	}
	text := strings.Join(values, "")
	return py.made(C.pyembed_list_from_strings((*C.char)(unsafe.Pointer(unsafe.StringData(text))),
		unsafe.SliceData(lengths), C.Py_ssize_t(len(values))))
}

func anys(values []string) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

// decodeFast fills a slice of a common type from a list and returns how many items it read: all, or
// those before one that does not fit.
func decodeFast(list *C.PyObject, slice any) int {
	switch values := slice.(type) {
	case *[]int32:
		return int(C.pyembed_list_to_int32(list, (*C.int32_t)(unsafe.SliceData(*values)), C.Py_ssize_t(len(*values))))
	case *[]int64:
		return int(C.pyembed_list_to_int64(list, (*C.int64_t)(unsafe.SliceData(*values)), C.Py_ssize_t(len(*values))))
	case *[]int:
		return int(
			C.pyembed_list_to_int64(list, (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(*values))), C.Py_ssize_t(len(*values))),
		)
	case *[]float64:
		return int(C.pyembed_list_to_double(list, (*C.double)(unsafe.SliceData(*values)), C.Py_ssize_t(len(*values))))
	case *[]string:
		texts := make([]*C.char, len(*values))
		lengths := make([]C.Py_ssize_t, len(*values))
		read := C.pyembed_list_to_strings(list, unsafe.SliceData(texts), unsafe.SliceData(lengths), C.Py_ssize_t(len(texts)))
		for i := range int(read) {
			(*values)[i] = goString(texts[i], lengths[i])
		}
		return int(read)
	}
	return 0
}
