package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"time"
)

// When the first exception does not end a call, others follow after grace, in which code may clean
// up, and then after each insist.
const (
	grace  = time.Second
	insist = 20 * time.Millisecond
	// importPoll is how often a thread that imports is looked at. An exception in the middle of an
	// import would leave modules half made, some of which cannot be imported again.
	importPoll = 5 * time.Millisecond
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
			pause := importPoll
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

// interrupt raises an exception in the thread and reports whether it did: not while the thread
// imports a module.
func (t *Thread) interrupt(class *Object) (raised bool) {
	// The watcher has a thread for itself, so that a pool full of busy threads cannot hold it up.
	// It is never closed, so Do cannot fail.
	_ = t.rt.watcher.Do(context.Background(), func(py *Py) error {
		importing, err := t.rt.helpers.CallMethod(py, "importing", uint64(t.id))
		if err == nil {
			defer importing.Release(py)
			if is, err := importing.Truth(py); err == nil && is {
				return nil
			}
		}
		C.py_PyThreadState_SetAsyncExc(t.id, class.ptr)
		raised = true
		return nil
	})
	return raised
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
