// Package plugin does in tests what another part of a program may have done before pyembed starts:
// it loads a libpython, and may run it.
package plugin

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// Returns NULL, or what failed.
static const char *load(const char *path, int global, int run) {
	void *lib = dlopen(path, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
	if (lib == NULL) return dlerror();
	if (!run) return NULL;
	void (*initialize)(int) = (void (*)(int))dlsym(lib, "Py_InitializeEx");
	void *(*save)(void) = (void *(*)(void))dlsym(lib, "PyEval_SaveThread");
	if (initialize == NULL || save == NULL) return "it is no libpython";
	initialize(0);
	save();
	return NULL;
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Load loads a libpython, with its symbols global or not, and runs it.
func Load(path string, global, run bool) error {
	runtime.LockOSThread() // the thread that runs it stays Python's main thread
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	number := func(is bool) C.int {
		if is {
			return 1
		}
		return 0
	}
	if failure := C.load(cpath, number(global), number(run)); failure != nil {
		return fmt.Errorf("loading %s: %s", path, C.GoString(failure))
	}
	return nil
}
