package vllmgo

import (
	"context"
	"errors"
	"fmt"

	"vllmgo/pyembed"
)

var (
	// ErrNoVLLM says that the Python that was found has no vLLM.
	ErrNoVLLM = errors.New("vLLM is not installed")
	// ErrModelNotFound says that a model is neither a folder, nor in the local cache, nor on the hub.
	ErrModelNotFound = errors.New("model not found")
	// ErrClosed says that the LLM was closed.
	ErrClosed = errors.New("the LLM is closed")
)

// reason is why ctx ended: its error, and its cause when that is another.
func reason(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// explain turns a Python exception into an error of this package. What bridge.py refuses is a whole message
// by itself; anything else keeps its Python type. The *pyembed.Error with the traceback stays reachable.
func explain(err error) error {
	var exception *pyembed.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exception):
		return fmt.Errorf("vllmgo: %w", err)
	case errors.Is(err, pyembed.Class("vllmgo_bridge.ModelNotFound")):
		return &callError{exception.Message, []error{ErrModelNotFound, err}}
	case errors.Is(err, pyembed.Class("vllmgo_bridge.Refused")):
		return &callError{exception.Message, []error{err}}
	}
	return &callError{"vLLM: " + exception.Error(), []error{err}}
}

// callError shows one message and wraps other errors without repeating theirs.
type callError struct {
	message string
	wrapped []error
}

func (e *callError) Error() string   { return "vllmgo: " + e.message }
func (e *callError) Unwrap() []error { return e.wrapped }
