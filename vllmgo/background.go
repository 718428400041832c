package vllmgo

import (
	"context"
	"fmt"
	"sync"
)

// inBackground runs fn on its own goroutine and waits for its result. When ctx ends, it returns an error at once, and fn
// goes on: what fn does, such as an import, must not be interrupted.
func inBackground[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	a := &attempt[T]{done: make(chan struct{})}
	go a.run(fn)
	return a.wait(ctx)
}

// shared is a value that is made once. A failure is not remembered: what its error asks for may have been done by the
// next call.
type shared[T any] struct {
	mu      sync.Mutex
	current *attempt[T]
}

// get returns the value. The first caller starts to make it in the background, and all wait for it until their contexts
// end.
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
		return zero, fmt.Errorf("vllmgo: waiting for Python: %w", reason(ctx))
	}
}
