package vllmgo

import (
	"context"
	"errors"
	"slices"

	"vllmgo/pyembed"
)

// pooling is a call that asks a pooling model. It shares the engine with other poolings.
type pooling struct {
	callBase
	input
	id int64
	// begin gives the call to the engine, under its id; result takes what came of it.
	begin  func(py *pyembed.Py) error
	result func(py *pyembed.Py, o *pyembed.Object) error
}

// poolLoop merges poolings into one continuous batch of the engine, as stepLoop does with batches.
// pools.py decides which requests come next.
type poolLoop struct {
	*scheduler
	running []*pooling
}

// runPools serves poolings until none is left.
func (s *scheduler) runPools() {
	l := &poolLoop{scheduler: s}
	err := s.thread.Do(context.Background(), l.run)
	for _, p := range l.running { // the engine failed, and with it every pooling that it worked on
		p.finish(explain(err))
	}
}

func (l *poolLoop) run(py *pyembed.Py) error {
	err := l.runUntilIdle(py)
	if err != nil {
		if _, abortErr := l.engine.CallMethod(py, "abort_all"); abortErr != nil {
			return errors.Join(err, abortErr)
		}
	}
	return err
}

func (l *poolLoop) runUntilIdle(py *pyembed.Py) error {
	for {
		if err := l.admit(py); err != nil {
			return err
		}
		if len(l.running) == 0 {
			return nil
		}
		var ended []byte
		if err := callInto(py, &ended, l.engine, "step_pools"); err != nil {
			return err
		}
		for _, id := range valuesOf[int64](ended) {
			i := slices.IndexFunc(l.running, func(p *pooling) bool { return p.id == id })
			p := l.running[i]
			l.running = slices.Delete(l.running, i, i+1)
			p.finish(l.take(py, p))
		}
	}
}

// take returns a pooling's error, after it has taken its result.
func (l *poolLoop) take(py *pyembed.Py, p *pooling) error {
	o, err := l.engine.CallMethod(py, "pool_result", p.id)
	if err != nil {
		return explainPrompt(err, &p.input, l.intAttr(py, "failed", -1))
	}
	defer o.Release(py)
	return explain(p.result(py, o))
}

// admit drops poolings that must stop, and takes new ones from the queue.
func (l *poolLoop) admit(py *pyembed.Py) error {
	var stopped, arrived []*pooling
	l.mu.Lock()
	for len(l.queue) > 0 {
		p, ok := l.queue[0].(*pooling)
		if !ok {
			break // other calls wait until the loop has ended
		}
		arrived = append(arrived, p)
		l.queue = l.queue[1:]
	}
	for _, p := range l.running {
		if l.closed && p.stopped == nil {
			p.stopped = ErrClosed
		}
		if p.stopped != nil {
			stopped = append(stopped, p)
		}
	}
	l.mu.Unlock()
	for _, p := range stopped {
		l.running = slices.DeleteFunc(l.running, func(other *pooling) bool { return other == p })
		_, err := l.engine.CallMethod(py, "drop_pool", p.id)
		p.finish(stoppedError(p.stopped))
		if err != nil {
			return err
		}
	}
	for _, p := range arrived {
		if err := p.begin(py); err != nil {
			p.finish(explainPrompt(err, &p.input, l.intAttr(py, "failed", -1)))
			continue
		}
		l.running = append(l.running, p)
	}
	return nil
}
