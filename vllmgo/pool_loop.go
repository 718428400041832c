package vllmgo

import (
	"errors"
	"slices"
)

// pooling is a call that asks a pooling model. It shares the engine with other poolings.
type pooling struct {
	callBase
	input
	id int64
	// begin is the method that gives the call to the engine, under its id and with args.
	begin string
	args  []any
	// result is where what comes of it goes, a pointer.
	result any
}

func (p *pooling) weight() int { return max(len(p.prompts), 1) }

// poolLoop merges poolings into one continuous batch of the engine, as stepLoop does with batches.
// pools.py decides which requests come next.
type poolLoop struct {
	*scheduler
	running []*pooling
}

// runPools serves poolings until none is left.
func (s *scheduler) runPools() {
	l := &poolLoop{scheduler: s}
	err := s.engine.hold(l.run)
	s.noteDeath(err)
	for _, p := range l.running { // the engine failed, and with it every pooling that it worked on
		p.finish(explain(err))
	}
}

func (l *poolLoop) run(c caller) error {
	err := l.runUntilIdle(c)
	if err != nil && !errors.Is(err, ErrEngineDead) {
		if abortErr := c.call(nil, "abort_all"); abortErr != nil {
			return errors.Join(err, abortErr)
		}
	}
	return err
}

func (l *poolLoop) runUntilIdle(c caller) error {
	for {
		if err := l.admit(c); err != nil {
			return err
		}
		if len(l.running) == 0 {
			return nil
		}
		var ended []byte
		if err := c.call(&ended, "step_pools"); err != nil {
			return err
		}
		for _, id := range valuesOf[int64](ended) {
			i := slices.IndexFunc(l.running, func(p *pooling) bool { return p.id == id })
			p := l.running[i]
			l.running = slices.Delete(l.running, i, i+1)
			p.finish(l.take(c, p))
		}
	}
}

// take returns a pooling's error, after it has taken its result.
func (l *poolLoop) take(c caller, p *pooling) error {
	if err := c.call(p.result, "pool_result", p.id); err != nil {
		return explainPrompt(err, &p.input, attribute(c, "failed", -1))
	}
	return nil
}

// admit drops poolings that must stop, and takes new ones from the queue.
func (l *poolLoop) admit(c caller) error {
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
		err := c.call(nil, "drop_pool", p.id)
		p.finish(stoppedError(p.stopped))
		if err != nil {
			return err
		}
	}
	for _, p := range arrived {
		p.begun = true
		if err := c.call(nil, p.begin, append([]any{p.id}, p.args...)...); err != nil {
			p.finish(explainPrompt(err, &p.input, attribute(c, "failed", -1)))
			continue
		}
		l.running = append(l.running, p)
	}
	return nil
}
