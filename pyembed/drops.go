package pyembed

/*
#include "capi.h"
*/
import "C"

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// idleDrops is how long queued references wait for a call that attaches, before a thread is asked
// to drop them.
const idleDrops = 10 * time.Millisecond

// drops queues references whose Go owners were garbage collected. Only a thread that holds the GIL
// may drop a reference, and the garbage collector's goroutine does not.
type drops struct {
	mu      sync.Mutex
	queue   []*C.PyObject
	pending atomic.Bool
}

// add queues a reference and reports whether it is the first in the queue.
func (d *drops) add(ptr *C.PyObject) (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, ptr)
	d.pending.Store(true)
	return len(d.queue) == 1
}

// drain drops the queued references. The caller is attached.
func (d *drops) drain() {
	if !d.pending.Load() {
		return
	}
	d.mu.Lock()
	queue := d.queue
	d.queue = nil
	d.pending.Store(false)
	d.mu.Unlock()
	// Dropping may run any Python code, so it happens outside the lock.
	for _, ptr := range queue {
		C.py_Py_DecRef(ptr)
	}
}

// abandon is the cleanup of an [Object] that nobody released.
func (rt *Interpreter) abandon(ptr *C.PyObject) {
	if rt.drops.add(ptr) {
		time.AfterFunc(idleDrops, func() {
			if rt.drops.pending.Load() {
				// Every Do drains the queue, and a finalizer holds up nobody there.
				_ = rt.sweeper.Do(context.Background(), func(*Py) error { return nil })
			}
		})
	}
}

// Bounds of memory: how often it is looked at, and how much it may grow before the garbage
// collector runs.
const (
	accountObjects  = 4 // how many are made before the clock is looked at
	accountInterval = time.Millisecond
	accountGrowth   = 64 << 20
)

// memory sees to it that Objects that nobody releases do not fill the memory. Go's garbage
// collector sees the few bytes of an Object, not the Python object behind it. So when the process
// grows while Objects are made, memory runs the collector, which finds those that are unreachable.
// The holder of the GIL uses it.
type memory struct {
	objects int
	checked time.Time
	// base is the process's size after the last collection, or less when it has shrunk since.
	base int
}

// account counts a new Object. The caller is attached.
func (m *memory) account(rt *Interpreter) {
	if m.objects++; m.objects%accountObjects != 0 || time.Since(m.checked) < accountInterval {
		return
	}
	rt.drops.drain()
	m.checked = time.Now()
	size, ok := residentBytes()
	switch {
	case !ok:
	case m.base == 0 || size < m.base:
		m.base = size
	case size-m.base > max(accountGrowth, m.base/4):
		runtime.GC()
		rt.drops.drain()
		m.base = size
	}
}

// residentBytes returns how much memory the process has.
func residentBytes() (int, bool) {
	var buffer [128]byte
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	defer file.Close()
	n, err := file.Read(buffer[:])
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(buffer[:n])
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.Atoi(string(fields[1]))
	return pages * os.Getpagesize(), err == nil
}
