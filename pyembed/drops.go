package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"context"
	"sync"
)

// maxDrops is the number of queued references at which a thread is asked to drop them, instead of waiting
// for the next call that attaches.
const maxDrops = 4096

// drops queues references whose Go owners were garbage collected. Only a thread that holds the GIL may drop
// a reference, and the garbage collector's goroutine does not.
type drops struct {
	mu    sync.Mutex
	queue []*C.PyObject
}

// add queues one reference and says whether the queue has grown so long that it should be drained now.
func (d *drops) add(ptr *C.PyObject) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, ptr)
	return len(d.queue) == maxDrops
}

// drain drops the queued references. The caller is attached.
func (d *drops) drain() {
	d.mu.Lock()
	queue := d.queue
	d.queue = nil
	d.mu.Unlock()
	// Dropping may run any Python code, so it happens outside the lock.
	for _, ptr := range queue {
		C.py_Py_DecRef(ptr)
	}
}

// abandon is the cleanup of an [Object] that nobody released.
func (rt *Interpreter) abandon(ptr *C.PyObject) {
	if rt.drops.add(ptr) {
		go rt.watcher.Do(context.Background(), func(*Py) error { return nil })
	}
}
