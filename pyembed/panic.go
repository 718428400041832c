//go:build cgo

package pyembed

import (
	"fmt"
	"runtime/debug"
)

// Panic is a panic on its way through another thread or through Python. When the function of a Do
// panics on another thread, Do panics with a *Panic in its caller. When a Go function that Python
// calls panics, Python sees the exception _pyembed.GoPanic, and errors.As finds the *Panic in that
// exception's [Error].
type Panic struct {
	// Value is what panic was called with.
	Value any
	// Stack is where, as of debug.Stack.
	Stack []byte
}

// recovered makes a Panic of what recover returned. One that has come through a thread already
// stays as it is.
func recovered(value any) *Panic {
	if p, ok := value.(*Panic); ok {
		return p
	}
	return &Panic{value, debug.Stack()}
}

// Error returns the value and the stack.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v\n\n%s", p.Value, p.Stack) }

// Unwrap returns the value when it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
