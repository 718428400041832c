package vllmgo

import (
	"context"
	"time"

	"vllmgo/pyembed"
)

// A call is one use of the engine, from the queue to its end. It is a *task or a *batch.
type call interface {
	base() *callBase
}

// callBase is what tasks and batches have in common.
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
	id      int64
	prompts []Prompt
	first   int      // what prompts[0] is called in errors
	params  []string // in JSON: one for all prompts, or one for each
	stream  *stream  // nil for Generate
	report  *reporter

	// The driver alone uses these; the caller may read them once done is closed.
	chosen     int // prompts that are in the engine, or about to be added
	added      int // prompts that the engine has got
	unfinished int // prompts whose last output has not come
	generation *Generation
	// finishedTokens counts the tokens of finished prompts. reportedRequests and reportedTokens are what report has
	// been told.
	finishedTokens, reportedRequests, reportedTokens int
}

// newBatch checks prompts and sampling parameters. In errors the prompts count from first.
func (l *LLM) newBatch(ctx context.Context, prompts []Prompt, first int, params SamplingParams) (*batch, error) {
	if err := checkInput(prompts, first, l.info.MaxModelLen); err != nil {
		return nil, err
	}
	encoded, err := encodeParams(prompts, first, params)
	if err != nil {
		return nil, err
	}
	return &batch{callBase: callBase{ctx: ctx}, prompts: prompts, first: first, params: encoded, unfinished: len(prompts)}, nil
}

// paramsOf returns the sampling parameters of a prompt, in JSON.
func (b *batch) paramsOf(prompt int) string { return b.params[min(prompt, len(b.params)-1)] }
