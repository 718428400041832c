package vllmgo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"vllmgo/internal/ctxerr"
)

// replicas are an LLM's engines, among which its calls are divided.
//
// Each replica has a scheduler of its own. A call goes to the replica with the fewest unfinished
// prompts; Generate, Encode and so on divide the prompts of a call. When a replica dies, its calls
// begin again on others, and it is started again.
type replicas struct {
	// open starts replica i, also after its death. It is nil for an engine in this process, whose
	// death is final.
	open func(ctx context.Context, i int) error
	// watch begins to look for replicas that die while they are idle; nil with open.
	watch     func()
	placement placements
	// ctx ends when the LLM is closed.
	ctx  context.Context
	stop context.CancelFunc

	mu  sync.Mutex
	all []*replica // nil for one that is being started again, or was given up
	// deaths are the times at which each replica died lately.
	deaths   [][]time.Time
	restarts int // starts after a death
	starting int // replicas that are being started again
	lastErr  error
	changed  chan struct{} // closed when a replica has come back or was given up; nil if nobody waits
	closed   bool
	starts   sync.WaitGroup
}

// replica is one engine from its start to its death.
type replica struct {
	index int
	*scheduler
	// load is the number of prompts that calls have given to it and that have not ended.
	// replicas.mu guards it and dead.
	load int
	dead bool
}

// newReplicas returns n replicas that are to be put.
func newReplicas(n int) *replicas {
	r := &replicas{all: make([]*replica, n), deaths: make([][]time.Time, n)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// put makes an engine replica i.
func (r *replicas) put(i int, e engine, signal []int32) (*replica, error) {
	s := &scheduler{engine: e, signal: signal}
	err := e.hold(func(c caller) error {
		if err := c.call(&s.maxNumSeqs, "attribute", "max_num_seqs"); err != nil {
			return err
		}
		return c.call(&s.mixesAdapters, "mixes_adapters")
	})
	if err != nil {
		return nil, err
	}
	s.maxInEngine = 2 * max(s.maxNumSeqs, maxAddedAtOnce)
	at := &replica{index: i, scheduler: s}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("vllmgo: %w", ErrClosed)
	}
	r.all[i] = at
	return at, nil
}

// do starts a call on the replica with the lowest load, and waits for its end.
func (r *replicas) do(c call) error {
	if err := r.start(c); err != nil {
		return err
	}
	return r.wait(c)
}

// start queues a call on the replica with the lowest load. If none is alive, it waits for one that
// is being started.
func (r *replicas) start(c call) error {
	base := c.base()
	all, err := r.alive(base.ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	if base.at == nil || base.at.dead {
		base.at = slices.MinFunc(all, func(a, b *replica) int { return a.load - b.load })
	}
	base.at.load += c.weight()
	r.mu.Unlock()
	return r.queue(c)
}

// queue queues a call on its replica, whose load it is part of.
func (r *replicas) queue(c call) error {
	at, weight := c.base().at, c.weight()
	if b, ok := c.(*batch); ok {
		b.unload = func() { r.unload(at, 1) }
	}
	err := at.start(c)
	if err != nil { // it was not queued
		r.unload(at, weight)
	}
	return err
}

// doOn starts a call on its replica and waits for its end. It does not begin again elsewhere.
func (r *replicas) doOn(at *replica, c call) error {
	r.unload(at, -c.weight())
	if err := r.queue(c); err != nil {
		return err
	}
	err := at.wait(c)
	r.leave(c)
	if r.open != nil && errors.Is(err, ErrEngineDead) {
		r.died(at, err)
	}
	return err
}

// leave takes what is left of a call's weight from its replica's load, once the call has ended: one
// that a hung engine does not end must not make room for others there.
func (r *replicas) leave(c call) {
	at, done := c.base().at, c.base().done
	select {
	case <-done:
		r.unload(at, c.weight())
	default:
		go func() { <-done; r.unload(at, c.weight()) }()
	}
}

// unload takes a weight from a replica's load.
func (r *replicas) unload(at *replica, weight int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at.load -= weight
}

// maxTries is the number of replicas that may die of a call. A prompt that ends every engine would
// otherwise end them all. The last one works on it alone, so that no other call has to answer for
// it.
const maxTries = 3

// wait waits for a call's end. If its replica dies, the call begins again on another one.
func (r *replicas) wait(c call) error {
	base, tries := c.base(), 0
	for {
		at := base.at
		err := at.wait(c)
		r.leave(c)
		if r.open == nil || !errors.Is(err, ErrEngineDead) {
			return err
		}
		r.died(at, err)
		if base.begun {
			tries++
		}
		if tries == maxTries {
			return &callError{message: fmt.Sprintf(
				"%d replicas died while they worked on the call, which seems to be the cause; the last one: %s",
				maxTries,
				messageOf(err),
			)}
		}
		if !c.reset(tries == maxTries-1) {
			return &callError{"a replica died after the stream had begun: " + messageOf(err), []error{err}}
		}
		if err := r.start(c); err != nil {
			return err
		}
	}
}

// alive returns the replicas that are alive, in order. If there is none, it waits for one that is
// being started.
func (r *replicas) alive(ctx context.Context) ([]*replica, error) {
	for {
		all, changed, err := r.look()
		if err != nil || len(all) > 0 {
			return all, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("vllmgo: waiting for a replica that is being started: %w", ctxerr.Reason(ctx))
		}
	}
}

// living returns the replicas that are not dead, in order. The caller holds mu.
func (r *replicas) living() []*replica {
	return slices.DeleteFunc(slices.Clone(r.all), func(each *replica) bool { return each == nil })
}

// look returns the replicas that are alive or, if there is none, a channel that is closed when that
// may have changed.
func (r *replicas) look() ([]*replica, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, fmt.Errorf("vllmgo: %w", ErrClosed)
	}
	all := r.living()
	if len(all) == 0 && r.starting == 0 {
		return nil, nil, &callError{"no replica is left: close the LLM and make a new one; the last one's end: " +
			messageOf(r.lastErr), []error{ErrEngineDead, r.lastErr}}
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return all, r.changed, nil
}

// A replica that has died more than maxRestarts times within restartWindow is not started again.
const (
	maxRestarts   = 3
	restartWindow = 10 * time.Minute
)

// died records that a replica has died, and starts it again in the background.
func (r *replicas) died(at *replica, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at.dead || r.closed {
		return
	}
	at.dead, r.all[at.index] = true, nil
	r.starting++
	r.starts.Go(func() {
		at.engine.kill()
		r.restart(at.index, why)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.starting--
		if r.changed != nil {
			close(r.changed)
			r.changed = nil
		}
	})
}

// restart starts a replica that has died, as often as it may.
func (r *replicas) restart(i int, why error) {
	for r.ctx.Err() == nil {
		again, note := r.mayRestart(i, why)
		lines.note(note)
		if !again {
			return
		}
		if why = r.open(r.ctx, i); why == nil {
			lines.note(fmt.Sprintf("replica %d runs again", i))
			return
		}
	}
}

// mayRestart records a death. It reports whether the replica may be started again, and what to say
// in the log.
func (r *replicas) mayRestart(i int, why error) (bool, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastErr = why
	now := time.Now()
	recent := slices.DeleteFunc(r.deaths[i], func(t time.Time) bool { return now.Sub(t) > restartWindow })
	r.deaths[i] = append(recent, now)
	if len(r.deaths[i]) > maxRestarts {
		return false, fmt.Sprintf("replica %d: %s; it has ended %d times within %v and is not started again",
			i, messageOf(why), len(r.deaths[i]), restartWindow)
	}
	r.restarts++
	return true, fmt.Sprintf("replica %d: %s; its unfinished prompts run on others, and it is started again",
		i, messageOf(why))
}

// restarted returns the number of starts after a death.
func (r *replicas) restarted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.restarts
}

// close stops all calls and ends all engines.
func (r *replicas) close() error {
	r.mu.Lock()
	r.closed = true
	all := r.living()
	r.mu.Unlock()
	r.stop()
	errs, wait := make([]error, len(all)), sync.WaitGroup{}
	for i, each := range all {
		wait.Go(func() {
			if !each.scheduler.close(each.engine.kill) {
				errs[i] = errors.New(
					"vllmgo: closing: the engine hangs in a step, and has no process to end: its thread stays",
				)
				return
			}
			errs[i] = explain(each.engine.close())
		})
	}
	wait.Wait()
	r.starts.Wait()
	return errors.Join(errs...)
}
