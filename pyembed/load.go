package pyembed

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// load opens the shared libpython and resolves every function that pyembed uses.
func load(library string) error {
	path := C.CString(library)
	defer C.free(unsafe.Pointer(path))
	if message := C.pyembed_load(path); message != nil {
		return fmt.Errorf("pyembed: cannot load %s: %w", library, takeMessage(message))
	}
	return nil
}

// takeMessage turns an error message from C into an error and frees it.
func takeMessage(message *C.char) error {
	defer C.free(unsafe.Pointer(message))
	return fmt.Errorf("%s", C.GoString(message))
}
