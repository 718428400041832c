package vllmgo

import (
	"context"
	"time"

	"vllmgo/pyembed"
)

// A call is one use of the engine, from the queue to its end. It is a *task, a *batch or a
// *pooling.
type call interface {
	base() *callBase
}

// callBase is what all calls have in common.
type callBase struct {
	ctx     context.Context
	started time.Time
	// err is the call's result. It is set before done is closed.
	err  error
	done chan struct{}
	// stopped is why the call must stop; nil means that it goes on. scheduler.mu guards it.
	stopped error
}

func (c *callBase) base() *callBase { return c }

// finish ends the call.
func (c *callBase) finish(err error) {
	c.err = err
	close(c.done)
}

// task is a call that must be alone on the engine.
type task struct {
	callBase
	run func(py *pyembed.Py) error
}

// batch is a call that completes prompts. It can share the engine with other batches.
type batch struct {
	callBase
	input
	id     int64
	stream *stream // nil for Generate
	report *reporter

	// The driver alone uses these; the caller may read generation once done is closed.
	next       int   // the first prompt that was never in the engine
	returned   []int // prompts that were taken back out of the engine
	inEngine   int
	unfinished int // prompts whose last output has not come
	generation *Generation
	// finishedTokens counts the tokens of finished prompts.
	finishedTokens int
	// reportedRequests and reportedTokens are what report has been told; it guards them.
	reportedRequests, reportedTokens int
}

// waits reports whether the batch has prompts that are not in the engine.
func (b *batch) waits() bool { return len(b.returned) > 0 || b.next < len(b.prompts) }

// upcoming returns the prompt that enters the engine next.
func (b *batch) upcoming() int {
	if len(b.returned) > 0 {
		return b.returned[0]
	}
	return b.next
}

// advance counts the upcoming prompt as being in the engine.
func (b *batch) advance() {
	if len(b.returned) > 0 {
		b.returned = b.returned[1:]
	} else {
		b.next++
	}
	b.inEngine++
}
