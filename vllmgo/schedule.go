package vllmgo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vllmgo/pyembed"
)

// The engine belongs to one goroutine at a time, the driver, which runs while there are calls. It takes them
// from a queue:
//
//   - Generate alone on the engine is one call of LLM.generate.
//   - A stream, or a Generate that is not alone, goes to the step loop, which adds the requests of all such calls
//     to one continuous batch. A LLM.generate that runs when another call comes is left between two steps, and
//     its requests go on in the loop.
//   - Anything else has the engine for itself. It waits until the loop has ended, and calls that came later wait
//     for it.

// call is one use of the engine, from the queue to its end.
type call struct {
	id  int64
	ctx context.Context

	// exclusive is what a call that needs the engine for itself does; the fields below are then unused.
	exclusive func(py *pyembed.Py) error

	prompts []Prompt
	params  []string // in JSON; see packedInput
	stream  *stream  // nil for Generate
	report  *reporter
	started time.Time

	// Used by the driver alone, and by the caller once done is closed.
	chosen     int // prompts that are in the engine, or about to be
	added      int // prompts that the engine has got
	unfinished int // prompts whose last output has not come
	generation *Generation
	err        error
	done       chan struct{}

	// stopped is why the call is to stop; guarded by scheduler.mu.
	stopped error
}

// scheduler orders the calls on one engine.
type scheduler struct {
	thread *pyembed.Thread
	engine *pyembed.Object
	// maxInEngine is the most requests of the step loop that are in the engine at a time. The rest waits here,
	// where calls take turns: vLLM itself serves first who came first.
	maxInEngine int
	// signal is read by engine.py's step_for_llm; see there.
	signal []int32

	mu      sync.Mutex
	lastID  int64
	queue   []*call
	lone    *call // the call that has the engine for itself
	closed  bool
	running bool
	drivers sync.WaitGroup
}

// What signal holds; engine.py has the same.
const (
	signalGoOn int32 = iota
	signalStop
	signalHandOver
)

// do queues a call and waits for its end. When ctx ends, the call is stopped between two of the engine's steps.
func (s *scheduler) do(c *call) error {
	if err := s.start(c); err != nil {
		return err
	}
	return s.wait(c)
}

// start queues a call.
func (s *scheduler) start(c *call) error {
	c.started, c.done = time.Now(), make(chan struct{})
	c.unfinished = len(c.prompts)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("vllmgo: %w", ErrClosed)
	}
	if c.ctx.Err() != nil {
		return fmt.Errorf("vllmgo: %w", reason(c.ctx))
	}
	s.lastID++
	c.id = s.lastID
	s.queue = append(s.queue, c)
	if !s.running {
		s.running = true
		s.drivers.Go(s.drive)
	} else if s.lone != nil && s.lone.exclusive == nil && s.signal[0] == signalGoOn {
		atomic.StoreInt32(&s.signal[0], signalHandOver)
	}
	return nil
}

// wait waits for a call's end.
func (s *scheduler) wait(c *call) error {
	select {
	case <-c.done:
	case <-c.ctx.Done():
		s.stop(c, reason(c.ctx))
		<-c.done
	}
	return c.err
}

// stop makes a call end soon: at once when it is queued, else after the step that the engine is in.
func (s *scheduler) stop(c *call, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.stopped == nil {
		c.stopped = why
	}
	if s.lone == c {
		atomic.StoreInt32(&s.signal[0], signalStop)
	}
	for i, queued := range s.queue {
		if queued == c {
			s.queue = append(s.queue[:i:i], s.queue[i+1:]...)
			c.finish(fmt.Errorf("vllmgo: waiting for the engine: %w", why))
			return
		}
	}
}

// finish ends a call.
func (c *call) finish(err error) {
	c.err = err
	close(c.done)
}

// close stops all calls and waits until nothing uses the engine. Later calls are refused.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	for _, c := range s.queue {
		c.finish(fmt.Errorf("vllmgo: %w", ErrClosed))
	}
	s.queue = nil
	if s.lone != nil {
		if s.lone.stopped == nil {
			s.lone.stopped = ErrClosed
		}
		atomic.StoreInt32(&s.signal[0], signalStop)
	}
	s.mu.Unlock()
	s.drivers.Wait()
}

// drive serves calls until there are none.
func (s *scheduler) drive() {
	for {
		c, alone := s.next()
		switch {
		case c == nil:
			return
		case alone:
			s.runAlone(c)
		default:
			s.loop(nil)
		}
	}
}

// next takes the next call from the queue if it is to have the engine for itself. Other calls stay in the queue
// for the step loop.
func (s *scheduler) next() (c *call, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.running = false
		return nil, false
	}
	c = s.queue[0]
	if c.exclusive == nil && (c.stream != nil || len(s.queue) > 1 && s.queue[1].exclusive == nil) {
		return c, false
	}
	s.queue = s.queue[1:]
	s.lone = c
	atomic.StoreInt32(&s.signal[0], signalGoOn)
	return c, true
}

// runAlone runs a call that has the engine for itself.
func (s *scheduler) runAlone(c *call) {
	fn := c.exclusive
	generated, handedOver := false, false
	if fn == nil {
		fn = func(py *pyembed.Py) (err error) {
			defer s.tidy(py)
			c.generation, err = s.generate(py, c)
			switch {
			case err != nil:
			case c.generation == nil:
				handedOver = true
			default:
				generated = true
				s.endLone()
				c.finish(nil) // before what is left to do here, which the caller need not wait for
			}
			return err
		}
	}
	err := s.thread.Do(context.Background(), fn)
	if generated {
		return
	}
	s.endLone()
	switch {
	case handedOver:
		s.loop(c)
	case errors.Is(err, pyembed.Class("vllmgo_bridge.Cancelled")):
		c.finish(stoppedError(c.stopped))
	default:
		c.finish(explain(err))
	}
}

func (s *scheduler) endLone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lone = nil
}

// tidy frees what a generation leaves in Python.
func (s *scheduler) tidy(py *pyembed.Py) {
	if o, err := s.engine.CallMethod(py, "tidy"); err == nil { // an error leaves it to the next generation
		o.Release(py)
	}
}

func stoppedError(why error) error { return fmt.Errorf("vllmgo: generation stopped: %w", why) }

// generate calls LLM.generate. It returns nil when the requests are to go on in the step loop.
func (s *scheduler) generate(py *pyembed.Py, c *call) (*Generation, error) {
	packed, err := pack(c.prompts, c.params)
	if err != nil {
		return nil, err
	}
	var report any
	if c.report != nil {
		report, err = py.Func(func(py *pyembed.Py, args []*pyembed.Object, _ map[string]*pyembed.Object) (any, error) {
			finished, err := pyembed.As[int](py, args[0])
			if err != nil {
				return nil, err
			}
			tokens, err := pyembed.As[int](py, args[1])
			c.report.set(finished, tokens)
			return nil, err
		})
		if err != nil {
			return nil, err
		}
	}
	var output *packedOutput
	if err := callInto(py, &output, s.engine, "generate", c.id, packed, report); err != nil || output == nil {
		return nil, err
	}
	return &Generation{Outputs: output.unpack(packed), Elapsed: time.Duration(output.ElapsedNs)}, nil
}

// loop runs the step loop until no call is left for it. handedOver is a call whose requests are in the engine
// already, or nil.
func (s *scheduler) loop(handedOver *call) {
	l := &stepLoop{scheduler: s, calls: map[int64]*call{}}
	if handedOver != nil {
		l.take(handedOver)
		handedOver.chosen, handedOver.added = len(handedOver.prompts), len(handedOver.prompts)
		l.inEngine = handedOver.unfinished
	}
	err := s.thread.Do(context.Background(), l.run)
	if err == nil {
		return
	}
	// The engine failed: so did every call that it worked for.
	for _, c := range l.order {
		c.finish(explain(err))
	}
}
