package pyembed

/*
#cgo CFLAGS: -Werror=unused-result
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

// load opens the shared libpython and resolves every function that pyembed uses. advice is how
// to name another.
func load(library, advice string) error {
	if err := checkMachine(library, advice); err != nil {
		return err
	}
	path, err := cstring("path of the library", library)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(path))
	if message := C.pyembed_load(path); message != nil {
		return fmt.Errorf("pyembed: cannot load %s: %w; repair or reinstall that Python (CPython 3.%d to 3.%d), "+
			"or name another %s", library, takeMessage(message), minMinor, maxMinor, advice)
	}
	if other := C.pyembed_hidden_by(); other != nil {
		return fmt.Errorf("pyembed: cannot run %s: the program has loaded another Python before, %s, and extension "+
			"modules would find that one's symbols; name that Python %s, or load it with RTLD_LOCAL where the "+
			"program needs it", library, C.GoString(other), advice)
	}
	return nil
}

// checkMachine returns an error when the library is for another kind of machine than the program:
// dlopen would say that it does not exist. Whatever else is wrong with the file is left for dlopen
// to say.
func checkMachine(library, advice string) error {
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
		"name a Python of the program's kind %s, or build the program for the Python's",
		library, theirs.Machine, theirs.Class, ours.Machine, ours.Class, advice)
}

// takeMessage turns an error message from C into an error and frees it.
func takeMessage(message *C.char) error {
	defer C.free(unsafe.Pointer(message))
	return fmt.Errorf("%s", C.GoString(message))
}
