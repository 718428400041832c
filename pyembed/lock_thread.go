package pyembed

/*
#include "capi.h"
*/
import "C"

import "runtime"

// LockThread locks the calling goroutine to its OS thread, as runtime.LockOSThread does, and makes
// the thread known to Python. [Thread.Do] and [Interpreter.Do] then run their function in the
// goroutine itself, without handing it to another thread, which takes most of the time of a small
// call. [Thread.Close] undoes both. A second LockThread in the same goroutine, or one inside a Do,
// panics.
//
//	thread := rt.LockThread()
//	defer thread.Close()
//	for … {
//		err := thread.Do(ctx, func(py *pyembed.Py) error { … })
//	}
func (rt *Interpreter) LockThread() *Thread {
	runtime.LockOSThread()
	if rt.current() != nil {
		runtime.UnlockOSThread()
		panic("pyembed: LockThread in a goroutine whose thread Python knows already")
	}
	t := rt.newThread(nil)
	t.state = C.pyembed_thread_begin()
	t.begin()
	return t
}

// unlock ends a thread of LockThread.
func (t *Thread) unlock() {
	select {
	case <-t.ended:
		return
	default:
	}
	if t.rt.current() != t || t.attached {
		panic("pyembed: Close of a thread of LockThread in another goroutine, or inside Do")
	}
	t.end()
	close(t.ended)
	runtime.UnlockOSThread()
}
