//go:build cgo

package pyembed

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"vllmgo/internal/ctxerr"
)

// job is one function to run attached, and how it ended.
type job struct {
	ctx      context.Context
	fn       func(*Py) error
	claimed  atomic.Bool
	err      error
	panicked *Panic
	exited   bool
	done     chan struct{}
}

func newJob(ctx context.Context, fn func(*Py) error) *job {
	return &job{ctx: ctx, fn: fn, done: make(chan struct{})}
}

// claim reports whether the caller is the first: the thread that runs the job, or the waiter that
// gives it up.
func (j *job) claim() bool { return j.claimed.CompareAndSwap(false, true) }

// wait waits until the job has run and ends as it did. When the context ends while the thread still
// waits for the GIL, the job is given up.
func (j *job) wait() error {
	select {
	case <-j.done:
	case <-j.ctx.Done():
		if j.claim() {
			return waitError(j.ctx)
		}
		<-j.done
	}
	switch {
	case j.panicked != nil:
		panic(j.panicked)
	case j.exited:
		runtime.Goexit()
	}
	return j.err
}

func waitError(ctx context.Context) error {
	return fmt.Errorf("pyembed: waiting for Python: %w", ctxerr.Reason(ctx))
}

// pool is a bounded set of threads that share their jobs.
type pool struct {
	rt   *Interpreter
	jobs chan *job
	// room holds a token for each thread that may still be started.
	room chan struct{}
}

func newPool(rt *Interpreter, size int) *pool {
	p := &pool{rt: rt, jobs: make(chan *job), room: make(chan struct{}, size)}
	for range size {
		p.room <- struct{}{}
	}
	return p
}

func (p *pool) do(ctx context.Context, fn func(*Py) error) error {
	j := newJob(ctx, fn)
	select { // an idle thread before a new one
	case p.jobs <- j:
		return j.wait()
	default:
	}
	for {
		select {
		case p.jobs <- j:
			return j.wait()
		case <-p.room:
			t := p.rt.newThread(p.jobs)
			t.isolated = true
			go func() {
				// This also runs when a job ends the thread with runtime.Goexit.
				defer func() { p.room <- struct{}{} }()
				t.serve(nil)
			}()
		case <-ctx.Done():
			return waitError(ctx)
		}
	}
}
