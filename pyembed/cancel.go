package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"time"
)

// When the first exception does not end a call, another follows after grace, in which code may clean up, and
// then one after each insist.
const (
	grace  = time.Second
	insist = 20 * time.Millisecond
	// importPoll is how often a thread that imports is looked at. An exception in the middle of an import would
	// leave modules half made, some of which cannot be imported again.
	importPoll = 5 * time.Millisecond
)

// watch raises Interrupted in the thread when ctx ends, again and again. The function that it returns, called on the
// thread, stops that, takes an exception back that was not delivered yet, and reports whether one was raised.
func (t *Thread) watch(ctx context.Context) (stop func() bool) {
	stopping, finished := make(chan struct{}), make(chan struct{})
	raised := false
	unregister := context.AfterFunc(ctx, func() {
		defer close(finished)
		for {
			pause := importPoll
			if t.interrupt() {
				if pause = insist; !raised {
					pause = grace
				}
				raised = true
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
		C.py_PyThreadState_SetAsyncExc(t.id, nil)
		return raised
	}
}

// interrupt raises Interrupted in the thread and reports whether it did: not while the thread imports a module.
func (t *Thread) interrupt() (raised bool) {
	rt := t.rt
	// The watcher has a thread for itself, so that a pool full of busy threads cannot hold it up. It is
	// never closed, so Do cannot fail.
	_ = rt.watcher.Do(context.Background(), func(py *Py) error {
		if importing, err := rt.helpers.CallMethod(py, "importing", uint64(t.id)); err == nil {
			defer importing.Release(py)
			if is, err := importing.Truth(py); err == nil && is {
				return nil
			}
		}
		C.py_PyThreadState_SetAsyncExc(t.id, rt.interrupted.ptr)
		raised = true
		return nil
	})
	return raised
}
