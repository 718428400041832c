package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"errors"
	"strings"
	"time"
)

// When the first exception does not end a call, others follow after grace, in which code may clean
// up, and then after each insist.
const (
	grace  = time.Second
	insist = 20 * time.Millisecond
	// retry is how soon a thread that cannot be interrupted now is looked at again.
	retry = 5 * time.Millisecond
	// A thread that seldom leaves the functions that handle locks is looked at this often in a row,
	// and lets the GIL go after such an interval for that.
	looks        = 100
	lookInterval = 50 * time.Microsecond
)

// watch raises Interrupted in the thread when ctx ends, again and again. The function that it
// returns, called on the thread, stops that, takes an exception back that was not delivered yet,
// and reports whether one was raised.
func (t *Thread) watch(ctx context.Context) (stop func() bool) {
	stopping, finished := make(chan struct{}), make(chan struct{})
	raised := false
	unregister := context.AfterFunc(ctx, func() {
		defer close(finished)
		for {
			pause := retry
			if !raised {
				if raised = t.interrupt(t.rt.interrupted); raised {
					pause = grace
				}
			} else if t.insisting.Store(true); t.interrupt(t.rt.insistent) {
				pause = insist
			}
			select {
			case <-stopping:
				return
			case <-time.After(pause):
			}
		}
	})
	return func() bool {
		if unregister() {
			return false
		}
		close(stopping)
		t.detach()
		<-finished
		t.attach()
		t.insisting.Store(false)
		C.py_PyThreadState_SetAsyncExc(t.id, nil)
		return raised
	}
}

// interrupt raises an exception in the thread and reports whether it did; see [Py.Interrupt].
func (t *Thread) interrupt(class *Object) (raised bool) {
	// The watcher has a thread for itself, so that a pool full of busy threads cannot hold it up.
	// It is never closed, so Do fails with the error of Interrupt alone: for want of memory, or in
	// a thread that has no frames yet. The next try may succeed.
	_ = t.rt.watcher.Do(context.Background(), func(py *Py) (err error) {
		raised, err = py.Interrupt(uint64(t.id), class)
		return err
	})
	return raised
}

// moment is what a thread is doing.
type moment int

const (
	ready     moment = iota // to be interrupted
	importing               // which may take seconds
	locking                 // which is over soon
)

// Interrupt raises an exception of the given class in a thread, which gets it between two of its
// instructions. thread is what threading.get_ident returns there. Interrupt reports whether it
// raised the exception. It does not at two kinds of moment, and is then called again later:
//
//   - while the thread imports a module, which would stay half made; some modules, such as torch's,
//     cannot be imported again
//   - while it logs, or a function of Python's own library takes or gives back a lock, which would
//     stay taken, so that every other thread would wait for it for ever
//
// Code that takes a lock by acquire outside a with statement is not protected from this.
func (py *Py) Interrupt(thread uint64, class *Object) (raised bool, err error) {
	now, err := py.tryInterrupt(thread, class)
	if err != nil || now != locking {
		return now == ready, err
	}
	before, err := py.setSwitchInterval(lookInterval.Seconds())
	if err != nil {
		return false, err
	}
	defer func() {
		_, restoreErr := py.setSwitchInterval(before)
		err = errors.Join(err, restoreErr)
	}()
	for i := 0; i < looks && err == nil && now == locking; i++ {
		py.Detach(func() {}) // in which the thread goes on
		now, err = py.tryInterrupt(thread, class)
	}
	return err == nil && now == ready, err
}

// setSwitchInterval sets the interval, in seconds, and returns what it was.
func (py *Py) setSwitchInterval(seconds float64) (before float64, err error) {
	result, err := py.thread.rt.helpers.CallMethod(py, "switch_interval", seconds)
	if err != nil {
		return 0, err
	}
	return As[float64](py, result)
}

// tryInterrupt raises an exception in a thread that is ready, and returns what it is doing.
func (py *Py) tryInterrupt(thread uint64, class *Object) (moment, error) {
	// No Python code runs here, so that the thread stays where it is until it has the exception.
	frames, err := py.thread.rt.currentFrames.Call(py)
	if err != nil {
		return ready, err
	}
	defer frames.Release(py)
	frame, err := frames.Item(py, thread)
	switch {
	case errors.Is(err, Class("KeyError")): // a thread without a frame runs no Python code now
	case err != nil:
		return locking, err
	default:
		now, err := py.momentOf(frame)
		if err != nil || now != ready {
			return now, err
		}
	}
	C.py_PyThreadState_SetAsyncExc(C.ulong(thread), class.ptr)
	return ready, nil
}

// momentOf returns what the thread is doing whose innermost frame is given.
func (py *Py) momentOf(frame *Object) (moment, error) {
	now := ready
	for innermost := true; ; innermost = false {
		in, err := py.momentIn(frame, innermost)
		if err != nil || in == importing {
			return in, err
		}
		now = max(now, in)
		if frame, err = frame.Attr(py, "f_back"); err != nil {
			return now, err
		}
		if is, err := frame.Truth(py); err != nil || !is { // None is below the outermost frame
			return now, err
		}
	}
}

// momentIn returns what a thread is doing in a frame: in its own instruction when it is the
// innermost, otherwise in what it calls.
func (py *Py) momentIn(frame *Object, innermost bool) (moment, error) {
	rt := py.thread.rt
	code, err := frame.Attr(py, "f_code")
	if err != nil {
		return ready, err
	}
	file, err := attrText(py, code, "co_filename")
	if err != nil {
		return ready, err
	}
	name, err := attrText(py, code, "co_name")
	if err != nil {
		return ready, err
	}
	switch {
	case strings.HasPrefix(file, "<frozen importlib"):
		return importing, nil
	case strings.HasPrefix(file, rt.library+"logging/"),
		(givesLock[name] || innermost && takesLock[name]) && rt.inLibrary(file):
		return locking, nil
	}
	return ready, nil
}

// attrText returns an attribute that is a str.
func attrText(py *Py, o *Object, name string) (string, error) {
	value, err := o.Attr(py, name)
	if err != nil {
		return "", err
	}
	return As[string](py, value)
}

// takesLock and givesLock have the names of the functions of Python's library that take and give
// back locks for their callers. Python delivers an exception when a function begins and when a C
// function has returned. So it would come after the lock was taken and before the caller's try, or
// in the caller's finally before the lock is given back. What takes a lock may wait in what it
// calls, and is interrupted there.
var (
	takesLock = map[string]bool{
		"acquire": true, "__enter__": true, "__exit__": true, "_acquireLock": true, "_is_owned": true,
	}
	givesLock = map[string]bool{
		"release": true, "_releaseLock": true, "_release_save": true, "_acquire_restore": true,
		"notify": true, "notify_all": true,
	}
)

// inLibrary reports whether a file is one of Python's own library, which excludes what is
// installed.
func (rt *Interpreter) inLibrary(file string) bool {
	return strings.HasPrefix(file, rt.library) && !strings.Contains(file, "/site-packages/") &&
		!strings.Contains(file, "/dist-packages/")
}

// setUpInterrupts makes the exceptions that end calls. Insistent is raised again whenever Python
// makes an instance of it, which is when code catches it: so in the midst of an except, a finally
// or a with that would go on otherwise.
func (rt *Interpreter) setUpInterrupts(py *Py) (err error) {
	if rt.interrupted, err = rt.helpers.Attr(py, "Interrupted"); err != nil {
		return err
	}
	if rt.insistent, err = rt.helpers.Attr(py, "Insistent"); err != nil {
		return err
	}
	if rt.currentFrames, err = rt.helpers.Attr(py, "current_frames"); err != nil {
		return err
	}
	if rt.library, err = attrText(py, rt.helpers, "library"); err != nil {
		return err
	}
	again, err := py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
		if py.thread.insisting.Load() {
			C.py_PyThreadState_SetAsyncExc(py.thread.id, rt.insistent.ptr)
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	defer again.Release(py)
	return rt.insistent.SetAttr(py, "__init__", again)
}
