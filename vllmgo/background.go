package vllmgo

import (
	"context"
	"fmt"
	"sync"

	"vllmgo/internal/ctxerr"
)

// inBackground runs fn on its own goroutine and waits for its result. When ctx ends, it returns an
// error at once, and fn goes on: what fn does, such as an import, must not be interrupted.
func inBackground[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	a := &attempt[T]{done: make(chan struct{})}
	go a.run(fn)
	return a.wait(ctx)
}

// shared is a value that is made once. A failure is not remembered: what its error asks for may
// have been done by the next call.
type shared[T any] struct {
	mu      sync.Mutex
	current *attempt[T]
}

// get returns the value. The first caller starts to make it in the background, and all wait for it
// until their contexts end.
func (s *shared[T]) get(ctx context.Context, make_ func() (T, error)) (T, error) {
	s.mu.Lock()
	a := s.current
	if a == nil {
		a = &attempt[T]{done: make(chan struct{})}
		s.current = a
		go func() {
			a.run(make_)
			if a.err != nil {
				s.mu.Lock()
				s.current = nil
				s.mu.Unlock()
			}
		}()
	}
	s.mu.Unlock()
	return a.wait(ctx)
}

// attempt is one run of a function.
type attempt[T any] struct {
	value T
	err   error
	done  chan struct{}
}

func (a *attempt[T]) run(fn func() (T, error)) {
	defer close(a.done)
	a.value, a.err = fn()
}

func (a *attempt[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-a.done:
		return a.value, a.err
	default:
	}
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var zero T
		return zero, fmt.Errorf("vllmgo: waiting for Python: %w", ctxerr.Reason(ctx))
	}
}

// abandoned are engines that nobody waited for, which stop loading or close in the background. The
// next engine loads when they are gone: they have memory, and one engine in process is all that
// vLLM allows.
var abandoned leavers

type leavers struct {
	mu   sync.Mutex
	gone []chan struct{}
}

// add runs fn, after which an engine is gone, in the background.
func (l *leavers) add(fn func()) {
	gone := make(chan struct{})
	l.mu.Lock()
	l.gone = append(l.gone, gone)
	l.mu.Unlock()
	go func() {
		defer close(gone)
		fn()
	}()
}

// wait waits until all engines are gone.
func (l *leavers) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		if len(l.gone) == 0 {
			l.mu.Unlock()
			return nil
		}
		first := l.gone[0]
		l.mu.Unlock()
		select {
		case <-first:
		case <-ctx.Done():
			return fmt.Errorf("waiting for an engine that was stopped while it loaded: %w", ctxerr.Reason(ctx))
		}
		l.mu.Lock()
		if len(l.gone) > 0 && l.gone[0] == first {
			l.gone = l.gone[1:]
		}
		l.mu.Unlock()
	}
}
