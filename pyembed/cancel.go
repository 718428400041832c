package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"
)

// When the first exception does not end a call, others follow after grace, in which code may clean
// up, and then after each insist, or as soon as one was caught.
const (
	grace  = time.Second
	insist = 20 * time.Millisecond
	// A thread that cannot be interrupted now is looked at again after retry, and after up to
	// mostRetry while it stays where it is.
	retry     = 5 * time.Millisecond
	mostRetry = 100 * time.Millisecond
	// Until a new thread runs, CPython 3.11 knows it by the number of the thread that starts it,
	// and would raise the exception in the new one, which would end before the other stops waiting
	// for it. A new thread runs after startPause, and needs no GIL for that.
	startPause = 5 * time.Millisecond
	// A thread that seldom leaves the functions that handle locks is looked at this often in a row,
	// and lets the GIL go after such an interval for that.
	looks        = 100
	lookInterval = 50 * time.Microsecond
	// mostCaught is how many exceptions a call may catch before they come at the beginning of a
	// line; see trace_out in helpers.py.
	mostCaught = 50
)

// watch raises Interrupted in the thread when ctx ends, again and again. The function that it
// returns, called on the thread, stops that, takes an exception back that was not delivered yet,
// and reports whether one was raised.
func (t *Thread) watch(ctx context.Context) (stop func() bool) {
	stopping, finished := make(chan struct{}), make(chan struct{})
	raised := false
	unregister := context.AfterFunc(ctx, func() {
		defer close(finished)
		wait := retry
		for {
			var pause time.Duration
			if !raised {
				now := t.interrupt(t.rt.interrupted)
				if raised = now == ready; raised {
					pause = grace
				} else {
					wait = nextWait(wait, now)
					pause = wait
				}
			} else {
				t.insisting.Store(true)
				t.interrupt(t.rt.insistent)
				pause = insist
			}
			select {
			case <-stopping:
				return
			case <-t.caught:
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

// nextWait returns the pause before the next look at a thread that was not ready.
func nextWait(last time.Duration, now moment) time.Duration {
	if now == still {
		return min(2*last, mostRetry)
	}
	return retry
}

// interrupt raises an exception in the thread, if it is ready, and returns what it is doing.
func (t *Thread) interrupt(class *Object) (now moment) {
	now = locking // after an error, which is want of memory: the next try may succeed
	_ = t.rt.watcher.Do(context.Background(), func(py *Py) (err error) {
		now, err = py.lookAndInterrupt(t.id, class)
		return err
	})
	return now
}

// Interrupt raises an exception of the given class in a thread, which gets it between two of its
// instructions. thread is what threading.get_ident returns there. Interrupt reports whether it
// raised the exception. It does not at two kinds of moment, and is then called again later:
//
//   - while the thread imports a module, which would stay half made; some modules, such as torch's,
//     cannot be imported again
//   - while it logs, or a function of Python's own library takes or gives back a lock, which would
//     stay taken, so that every other thread would wait for it for ever
//
// Code that takes a lock by acquire outside a with statement is not protected from this. A class
// that is not an exception, and a thread that Python does not know, are errors.
func (rt *Interpreter) Interrupt(thread uint64, class *Object) (raised bool, err error) {
	err = rt.watcher.Do(context.Background(), func(py *Py) error {
		if !py.isExceptionClass(class.pointer()) {
			return errors.New("pyembed: Interrupt needs a subclass of BaseException")
		}
		now, err := py.lookAndInterrupt(C.ulong(thread), class)
		raised = err == nil && now == ready
		return err
	})
	return raised, err
}

// isExceptionClass reports whether an object is a subclass of BaseException.
func (py *Py) isExceptionClass(o *C.PyObject) bool {
	const isType, isException = 1 << 31, 1 << 30 // flags of CPython's object.h
	class := py.quietly(C.py_PyObject_Type(o))   // of an object, it cannot fail
	defer C.py_Py_DecRef(class)
	return C.py_PyType_GetFlags(class)&isType != 0 && C.py_PyType_GetFlags(o)&isException != 0
}

// moment is what a thread is doing.
type moment int

const (
	ready          moment = iota // to be interrupted
	startingThread               // which is ready; ready after startPause
	importing                    // which may take seconds
	locking                      // which is over soon
	still                        // locking, and it does not move
)

// place is where a thread was in a look at it.
type place struct {
	frame       uintptr // its address
	instruction int
}

// lookAndInterrupt raises an exception in a thread, if it is ready, and returns what it is doing.
// It runs on the watcher, which has a thread for itself: a pool of busy threads does not hold it
// up, calls take turns, and it runs no Python code of others, such as finalizers. So the thread
// stays where it is between the look and the exception.
func (py *Py) lookAndInterrupt(thread C.ulong, class *Object) (now moment, err error) {
	now, at, err := py.tryInterrupt(thread, class)
	if err != nil || now != locking {
		return now, err
	}
	before, err := py.setSwitchInterval(lookInterval.Seconds())
	if err != nil {
		return now, err
	}
	defer func() {
		_, restoreErr := py.setSwitchInterval(before)
		err = errors.Join(err, restoreErr)
	}()
	for i := 0; i < looks && err == nil && now == locking; i++ {
		py.Detach(func() {}) // in which the thread goes on
		was := at
		if now, at, err = py.tryInterrupt(thread, class); now == locking && at == was {
			now = still
		}
	}
	return now, err
}

// setSwitchInterval sets the interval, in seconds, and returns what it was.
func (py *Py) setSwitchInterval(seconds float64) (before float64, err error) {
	result, err := py.thread.rt.helpers.CallMethod(py, "switch_interval", seconds)
	if err != nil {
		return 0, err
	}
	defer result.Release(py)
	return As[float64](py, result)
}

// tryInterrupt raises an exception in a thread that is ready. It returns what the thread is doing
// and, when it is locking, where.
func (py *Py) tryInterrupt(thread C.ulong, class *Object) (moment, place, error) {
	frames, err := py.thread.rt.currentFrames.Call(py)
	if err != nil {
		return ready, place{}, err
	}
	defer frames.Release(py)
	frame, err := frames.Item(py, uint64(thread))
	switch {
	case errors.Is(err, Class("KeyError")): // a thread without a frame runs no Python code now
	case err != nil:
		return locking, place{}, err
	default:
		now, at, err := py.momentOf(frame)
		if err != nil || now > startingThread {
			return now, at, err
		}
		if now == startingThread {
			time.Sleep(startPause)
		}
	}
	if C.py_PyThreadState_SetAsyncExc(thread, class.pointer()) == 0 {
		return ready, place{}, fmt.Errorf("pyembed: Python has no thread %d", thread)
	}
	return ready, place{}, nil
}

// momentOf returns what the thread is doing whose innermost frame is given, and where.
func (py *Py) momentOf(frame *Object) (now moment, at place, err error) {
	defer frame.Release(py)
	at.frame = uintptr(unsafe.Pointer(frame.pointer()))
	if at.instruction, err = attrAs[int](py, frame, "f_lasti"); err != nil {
		return now, at, err
	}
	for instruction := at.instruction; ; instruction = outer {
		in, err := py.momentIn(frame, instruction)
		if err != nil || in == importing {
			return in, at, err
		}
		now = max(now, in)
		if frame, err = frame.Attr(py, "f_back"); err != nil {
			return now, at, err
		}
		defer frame.Release(py)
		if is, err := frame.Truth(py); err != nil || !is { // None is below the outermost frame
			return now, at, err
		}
	}
}

// leavesWith reports whether an instruction of a code object calls __exit__ at the end of a with
// statement: with three times None, or for an exception. Where __exit__ begins, its own frame is
// not there yet from CPython 3.13 on.
func (py *Py) leavesWith(code *Object, instruction int) (bool, error) {
	all, err := attrAs[[]byte](py, code, "co_code")
	if err != nil || instruction >= len(all) {
		return false, err
	}
	const size = 2 // of an instruction, in bytes
	load := py.thread.rt.loadConst
	return all[instruction] == py.thread.rt.withExceptStart || instruction >= 3*size &&
		all[instruction-size] == load && all[instruction-2*size] == load && all[instruction-3*size] == load, nil
}

// outer stands for the instruction of a frame that is not the innermost.
const outer = -1

// momentIn returns what a thread is doing in a frame: in the given instruction or, when that is
// outer, in what the frame calls.
func (py *Py) momentIn(frame *Object, instruction int) (moment, error) {
	rt := py.thread.rt
	code, err := frame.Attr(py, "f_code")
	if err != nil {
		return ready, err
	}
	defer code.Release(py)
	file, err := attrAs[string](py, code, "co_filename")
	if err != nil {
		return ready, err
	}
	name, err := attrAs[string](py, code, "co_name")
	if err != nil {
		return ready, err
	}
	switch {
	case strings.HasPrefix(file, "<frozen importlib"):
		return importing, nil
	case strings.HasPrefix(file, rt.library+"logging/"),
		(givesLock[name] || instruction != outer && takesLock[name]) && rt.inLibrary(file):
		return locking, nil
	case name == "start" && file == rt.library+"threading.py":
		return startingThread, nil
	case instruction == outer:
		return ready, nil
	}
	leaves, err := py.leavesWith(code, instruction)
	if err != nil || !leaves {
		return ready, err
	}
	return locking, nil
}

// attrAs returns an attribute as a Go value.
func attrAs[T any](py *Py, o *Object, name string) (T, error) {
	value, err := o.Attr(py, name)
	if err != nil {
		return *new(T), err
	}
	defer value.Release(py)
	return As[T](py, value)
}

// takesLock and givesLock have the names of the functions of Python's library that take and give
// back locks for their callers. Python delivers an exception when a function begins and when a C
// function has returned. So it would come after the lock was taken and before the caller's try, or
// in the caller's finally before the lock is given back. What takes a lock may wait in what it
// calls, and is interrupted there.
var (
	takesLock = map[string]bool{
		"acquire": true, "__enter__": true, "__exit__": true, "_acquireLock": true, "_is_owned": true,
		"enter_context": true, // contextlib
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

// setUpInterrupts makes the exceptions that end calls. Python makes an instance of Insistent when
// code is about to catch it. The next one comes at once then: in the midst of an except, a finally
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
	if rt.library, err = attrAs[string](py, rt.helpers, "library"); err != nil {
		return err
	}
	for name, number := range map[string]*byte{"LOAD_CONST": &rt.loadConst, "WITH_EXCEPT_START": &rt.withExceptStart} {
		if *number, err = attrAs[byte](py, rt.helpers, name); err != nil {
			return err
		}
	}
	caught, err := py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
		t := py.thread
		if !t.insisting.Load() {
			return nil, nil
		}
		t.timesCaught++
		holds, err := rt.helpers.CallMethod(py, "holds_locks")
		if err != nil {
			return nil, err
		}
		defer holds.Release(py)
		if is, err := holds.Truth(py); err != nil {
			return nil, err
		} else if !is && t.timesCaught < mostCaught {
			C.py_PyThreadState_SetAsyncExc(t.id, rt.insistent.ptr)
			return nil, nil
		}
		select {
		case t.caught <- struct{}{}: // for the watcher, which chooses the moment
		default:
		}
		if t.timesCaught < mostCaught {
			return nil, nil
		}
		return nil, py.help("trace_out")
	})
	if err != nil {
		return err
	}
	defer caught.Release(py)
	return rt.insistent.SetAttr(py, "__init__", caught)
}

// stopTracing ends what trace_out began in the thread.
func (t *Thread) stopTracing(py *Py) {
	if t.timesCaught >= mostCaught {
		_ = py.help("stop_tracing") // of which the memory of a call is all that could lack
	}
	t.timesCaught = 0
}
