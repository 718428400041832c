package vllmgo

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vllmgo/internal/ctxerr"
)

// scheduler decides which calls use the engine.
//
// The engine belongs to one goroutine at a time, the driver. It runs while there are calls, and
// takes them from a queue in their order:
//
//   - A task is alone on the engine. It waits until the calls before it have ended, and later calls
//     wait for it.
//   - A batch that is the only call is alone too: it is one call of LLM.generate.
//   - Streams, and batches that are not alone, share the step loop, which merges their requests.
//   - Poolings share the pool loop.
//
// When a batch is alone and another call comes, the batch leaves LLM.generate between two steps,
// and its requests go on in the step loop.
type scheduler struct {
	engine engine
	// maxNumSeqs is the most requests that the engine runs at once. maxInEngine is the most
	// requests of the step loop that it has at a time. The others wait here, where calls take
	// turns; vLLM serves requests in the order in which they come.
	maxNumSeqs, maxInEngine int
	// mixesAdapters is true when the engine computes requests with and without LoRA adapters right
	// in one batch.
	mixesAdapters bool
	// signal is what engine.py's step_for_llm has to do.
	signal []int32

	mu      sync.Mutex
	lastID  int64
	queue   []call
	alone   call  // the call that is alone on the engine; nil if there is none
	dead    error // the error of an engine that has died; nil while it lives
	closed  bool
	running bool
	drivers sync.WaitGroup
}

// The values of signal. engine.py has the same.
const (
	signalGoOn int32 = iota
	signalStop
	signalHandOver
)

// start queues a call.
func (s *scheduler) start(c call) error {
	base := c.base()
	base.started, base.done = time.Now(), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("vllmgo: %w", ErrClosed)
	}
	if base.ctx.Err() != nil {
		return fmt.Errorf("vllmgo: %w", ctxerr.Reason(base.ctx))
	}
	s.lastID++
	switch c := c.(type) {
	case *batch:
		c.id = s.lastID
	case *pooling:
		c.id = s.lastID
	}
	s.queue = append(s.queue, c)
	if !s.running {
		s.running = true
		s.drivers.Go(s.drive)
	} else if _, ok := s.alone.(*batch); ok && s.signal[0] == signalGoOn {
		atomic.StoreInt32(&s.signal[0], signalHandOver)
	}
	return nil
}

// stopGrace is the time that a call whose context has ended waits for the engine's current step.
// closeGrace is the time that Close waits for it.
const (
	stopGrace  = 5 * time.Second
	closeGrace = 10 * time.Second
)

// wait waits for a call's end.
func (s *scheduler) wait(c call) error {
	base := c.base()
	select {
	case <-base.done:
		return base.err
	case <-base.ctx.Done():
		return s.abandon(c, ctxerr.Reason(base.ctx))
	}
}

// abandon stops a call and waits for its end, but not for long: the engine may hang. The caller
// must not touch the call's results after an error.
func (s *scheduler) abandon(c call, why error) error {
	s.stop(c, why)
	select {
	case <-c.base().done:
		return c.base().err
	case <-time.After(stopGrace):
		return fmt.Errorf("%w; the engine has not finished its step %v later, is slow or hangs, and Close ends it",
			stoppedError(why), stopGrace)
	}
}

// stop makes a call end soon: a queued call at once, another call after the engine's current step.
func (s *scheduler) stop(c call, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	base := c.base()
	if base.stopped == nil {
		base.stopped = why
	}
	if s.alone == c {
		atomic.StoreInt32(&s.signal[0], signalStop)
	}
	for i, queued := range s.queue {
		if queued == c {
			s.queue = append(s.queue[:i:i], s.queue[i+1:]...)
			base.finish(fmt.Errorf("vllmgo: waiting for the engine: %w", why))
			return
		}
	}
}

// close stops all calls and waits until nothing uses the engine. Later calls are refused. If the
// engine does not finish its step, close calls kill, which must end it. It reports whether the
// engine is free.
func (s *scheduler) close(kill func()) bool {
	s.mu.Lock()
	s.closed = true
	for _, c := range s.queue {
		c.base().finish(fmt.Errorf("vllmgo: %w", ErrClosed))
	}
	s.queue = nil
	if s.alone != nil {
		if base := s.alone.base(); base.stopped == nil {
			base.stopped = ErrClosed
		}
		atomic.StoreInt32(&s.signal[0], signalStop)
	}
	s.mu.Unlock()
	idle := make(chan struct{})
	go func() { s.drivers.Wait(); close(idle) }()
	select {
	case <-idle:
		return true
	case <-time.After(closeGrace):
	}
	kill()
	select {
	case <-idle:
		return true
	case <-time.After(closeGrace):
		return false
	}
}

// drive serves calls until there are none.
func (s *scheduler) drive() {
	for {
		c, alone := s.next()
		if c == nil {
			return
		}
		switch c := c.(type) {
		case *task:
			s.runTask(c)
		case *pooling:
			s.runPools()
		case *batch:
			switch {
			case c.exclusive:
				s.loop(nil, c)
			case alone:
				s.runBatch(c)
			default:
				s.loop(nil, nil)
			}
		}
	}
}

// next returns the first call of the queue, or nil when the queue is empty. It takes a call that is
// to be alone from the queue, and leaves others there for their loop.
func (s *scheduler) next() (c call, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead != nil {
		for _, queued := range s.queue {
			queued.base().finish(s.dead)
		}
		s.queue = nil
	}
	if len(s.queue) == 0 {
		s.running = false
		return nil, false
	}
	c = s.queue[0]
	if _, ok := c.(*pooling); ok {
		return c, false
	}
	b, ok := c.(*batch)
	if ok && b.exclusive {
		s.queue = s.queue[1:]
		return c, false
	}
	if ok && (b.stream != nil || b.merged || s.followedByBatch() || !s.mixesAdapters && b.mixed()) {
		return c, false
	}
	s.alone = c
	s.queue = s.queue[1:]
	atomic.StoreInt32(&s.signal[0], signalGoOn)
	return c, true
}

// noteDeath records that the engine has died, if an error says so. The calls in the queue, and
// later ones, then fail without having begun.
func (s *scheduler) noteDeath(err error) {
	if dead := explain(err); errors.Is(dead, ErrEngineDead) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dead = dead
	}
}

// followedByBatch reports whether the second call in the queue is a batch.
func (s *scheduler) followedByBatch() bool {
	if len(s.queue) < 2 {
		return false
	}
	b, ok := s.queue[1].(*batch)
	return ok && !b.exclusive
}

// endAlone records that no call is alone on the engine any more.
func (s *scheduler) endAlone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alone = nil
}

// stoppedError is the error of a batch that was stopped.
func stoppedError(why error) error { return fmt.Errorf("vllmgo: generation stopped: %w", why) }

// loop runs the step loop until no call is left for it. handedOver is a batch whose requests are in
// the engine already, or nil. only is the batch that the loop is for, or nil if it is for all.
func (s *scheduler) loop(handedOver, only *batch) {
	l := &stepLoop{scheduler: s, batches: map[int64]*batch{}, only: only}
	if only != nil {
		l.take(only)
	}
	if handedOver != nil {
		l.take(handedOver)
		handedOver.inEngine = handedOver.next
		l.inEngine, l.adapted = handedOver.next, handedOver.adapted(0)
	}
	err := s.engine.hold(l.run)
	if err == nil {
		return
	}
	s.noteDeath(err)
	// The engine failed, and with it every batch that it worked on.
	for _, b := range l.order {
		b.finish(explain(err))
	}
}
