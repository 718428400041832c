package vllmgo

import (
	"context"
	"time"
)

// interruptLoading raises an exception in the thread that loads an engine once ctx has ended, and
// returns when finished is closed; see [pyembed.Interpreter.Interrupt] for the moments that it
// spares.
func (e *embedded) interruptLoading(ctx context.Context, finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		wait := retry.C
		raised, err := e.bridge.rt.Interrupt(uint64(e.threadID.Load()), e.bridge.cancelled)
		if err != nil {
			<-finished
			return
		}
		// Unless a callback swallows it, vLLM ends its processes now, which takes seconds.
		if raised {
			wait = time.After(15 * time.Second)
		}
		select {
		case <-finished:
			return
		case <-wait:
		}
	}
}
