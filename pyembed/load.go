package pyembed

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"debug/elf"
	"fmt"
	"unsafe"
)

// load opens the shared libpython and resolves every function that pyembed uses.
func load(library string) error {
	if err := checkMachine(library); err != nil {
		return err
	}
	path := C.CString(library)
	defer C.free(unsafe.Pointer(path))
	if message := C.pyembed_load(path); message != nil {
		return fmt.Errorf("pyembed: cannot load %s: %w; repair or reinstall that Python (CPython 3.%d to 3.%d), "+
			"or name another with VLLMGO_PYTHON=/path/to/python3", library, takeMessage(message), minMinor, maxMinor)
	}
	return nil
}

// checkMachine says when the library is for another kind of machine than the program, of which dlopen says that
// it does not exist. Whatever else is wrong with the file is left for dlopen to say.
func checkMachine(library string) error {
	theirs, err := elf.Open(library)
	if err != nil {
		return nil
	}
	defer theirs.Close()
	ours, err := elf.Open("/proc/self/exe")
	if err != nil {
		return nil
	}
	defer ours.Close()
	if theirs.Machine == ours.Machine && theirs.Class == ours.Class {
		return nil
	}
	return fmt.Errorf("pyembed: cannot load %s: it is for %v (%v), this program for %v (%v); "+
		"name a Python of the program's kind with VLLMGO_PYTHON=/path/to/python3, or build the program for the Python's",
		library, theirs.Machine, theirs.Class, ours.Machine, ours.Class)
}

// takeMessage turns an error message from C into an error and frees it.
func takeMessage(message *C.char) error {
	defer C.free(unsafe.Pointer(message))
	return fmt.Errorf("%s", C.GoString(message))
}
