// Package gilstatebench is what pyembed's benchmarks compare it with: attaching with
// PyGILState_Ensure and Release around each call, as other bindings do, on a thread that Python has
// no state of. Each time makes a thread state and destroys it.
package gilstatebench

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>

static void ensure_release(void) {
	static int (*ensure)(void);
	static void (*release)(int);
	if (ensure == NULL) {
		ensure = (int (*)(void))dlsym(RTLD_DEFAULT, "PyGILState_Ensure");
		release = (void (*)(int))dlsym(RTLD_DEFAULT, "PyGILState_Release");
	}
	release(ensure());
}
*/
import "C"

// EnsureRelease attaches the calling thread, which the caller has locked, and detaches it. Python
// must run.
func EnsureRelease() { C.ensure_release() }
