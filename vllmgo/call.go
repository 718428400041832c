package vllmgo

import (
	"context"
	"time"
)

// A call is one use of the engine, from the queue to its end. It is a *task, a *batch or a
// *pooling.
type call interface {
	base() *callBase
	// weight is the number of prompts, by which replicas are chosen.
	weight() int
	// reset makes the call ready to begin again on another replica, alone if it says so. It reports
	// whether it can.
	reset(alone bool) bool
}

// callBase is what all calls have in common.
type callBase struct {
	ctx context.Context
	// at is the replica that has the call; before that, the one that is to have it, or nil.
	at      *replica
	started time.Time
	// err is the call's result. It is set before done is closed.
	err  error
	done chan struct{}
	// begun is true when the engine has had something of the call. The driver alone uses it until
	// done is closed.
	begun bool
	// stopped is why the call must stop; nil means that it goes on. scheduler.mu guards it.
	stopped error
}

func (c *callBase) base() *callBase { return c }

// finish ends the call.
func (c *callBase) finish(err error) {
	c.err = err
	close(c.done)
}

func (c *callBase) weight() int { return 1 }

// reset serves calls that keep nothing of an attempt.
func (c *callBase) reset(bool) bool {
	c.err, c.stopped, c.at, c.begun = nil, nil, nil, false
	return true
}

// task is a call that must be alone on the engine.
type task struct {
	callBase
	run func(c caller) error
}

// batch is a call that completes prompts. It can share the engine with other batches.
type batch struct {
	callBase
	input
	id     int64
	stream *stream // nil for Generate
	report *reporter
	// merged is true for a batch that must not be a call of LLM.generate, but one of the step loop.
	merged bool
	// exclusive is true for a batch of the step loop that must be alone there.
	exclusive bool
	// continues is true for a batch of a call that the engine works on already.
	continues bool
	// unload is called for each prompt that ends in the step loop, and then onFinished, unless it
	// is nil.
	unload, onFinished func()

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

func (b *batch) weight() int { return b.unfinished }

func (b *batch) reset(alone bool) bool {
	if b.stream != nil && b.stream.pushed() {
		return false
	}
	b.next, b.returned, b.inEngine, b.unfinished = 0, nil, 0, len(b.prompts)
	if b.generation != nil { // what has ended need not begin again
		b.next, b.merged = len(b.prompts), true
		for i, output := range b.generation.Outputs {
			if output.Outputs == nil {
				b.returned = append(b.returned, i)
			}
		}
		b.unfinished = len(b.returned)
	}
	b.exclusive = alone
	return b.callBase.reset(alone)
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
	b.begun = true
}
