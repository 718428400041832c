package vllmgo

import (
	"context"
	"time"

	"vllmgo/pyembed"
)

// interruptLoading raises an exception in the thread that loads an engine once ctx has ended, and
// returns when finished is closed; see [pyembed.Py.Interrupt] for the moments that it spares.
func (l *LLM) interruptLoading(ctx context.Context, finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		raised, wait := false, retry.C
		err := l.bridge.rt.Do(context.Background(), func(py *pyembed.Py) (err error) {
			raised, err = py.Interrupt(uint64(l.threadID.Load()), l.bridge.cancelled)
			return err
		})
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
