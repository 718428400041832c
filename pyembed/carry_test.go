package pyembed

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const carrying = `
import asyncio, concurrent.futures, contextvars, threading
def on_thread(f):
    found = []
    thread = threading.Thread(target=lambda: found.append(f()))
    thread.start()
    thread.join()
    return found[0]
def in_executor(f):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(f).result()
ways = {
    "the same thread": lambda f: f(),
    "asyncio": lambda f: asyncio.run(called_by_asyncio(f)),
    "asyncio.to_thread": lambda f: asyncio.run(asyncio.to_thread(f)),
    "thread with contextvars": lambda f: on_thread(lambda run=contextvars.copy_context().run: run(f)),
    "executor with contextvars": lambda f: in_executor(lambda run=contextvars.copy_context().run: run(f)),
    "thread": on_thread,
    "executor": in_executor,
}
async def called_by_asyncio(f): return f()
def call(way, f): return ways[way](f)
`

// TestContextsOnPythonsThreads calls a Go function on threads that Python made: it gets the context
// of the calling Do where the Do's contextvars go.
func TestContextsOnPythonsThreads(t *testing.T) {
	type key struct{}
	rt := python(t)
	own := rt.NewThread()
	defer own.Close()
	for _, do := range []func(context.Context, func(*Py) error) error{rt.Do, own.Do, rt.Main().Do} {
		for way, carried := range map[string]bool{
			"the same thread": true, "asyncio": true, "asyncio.to_thread": true, "thread with contextvars": true,
			"executor with contextvars": true, "thread": false, "executor": false,
		} {
			// The outer call's context comes back when the inner call has returned.
			ctx := context.WithValue(t.Context(), key{}, "outer")
			require.NoError(t, do(ctx, func(py *Py) error {
				for _, value := range []string{"inner", "outer"} {
					found := any("not called")
					look := func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
						found = py.Context().Value(key{})
						return nil, nil
					}
					call := func(py *Py) error {
						f, err := py.Func(look)
						if err != nil {
							return err
						}
						module, err := py.Module("carrying", "carrying.py", carrying)
						if err != nil {
							return err
						}
						_, err = module.CallMethod(py, "call", way, f)
						return err
					}
					var err error
					if value == "inner" {
						err = rt.Do(context.WithValue(ctx, key{}, "inner"), call)
					} else {
						err = call(py)
					}
					require.NoError(t, err, way)
					if carried {
						assert.Equal(t, value, found, way)
					} else {
						assert.Nil(t, found, way)
					}
				}
				return nil
			}))
		}
	}
}

// incomparable is a context that == panics for.
type incomparable struct {
	context.Context
	_ []int
}

// TestContextsOfSmallCalls makes calls with several contexts on threads that keep their
// contextvars.
func TestContextsOfSmallCalls(t *testing.T) {
	type key struct{}
	rt := python(t)
	own, locked := rt.NewThread(), rt.LockThread()
	defer own.Close()
	defer locked.Close()
	first, second := context.WithValue(t.Context(), key{}, 1), incomparable{t.Context(), []int{2}}
	for _, thread := range []*Thread{own, locked} {
		for _, ctx := range []context.Context{
			first, first, context.Background(), second, second, first, context.Background(),
		} {
			require.NoError(t, thread.Do(ctx, func(py *Py) error {
				f, err := py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
					assert.Equal(t, ctx, py.Context())
					return nil, nil
				})
				if err != nil {
					return err
				}
				module, err := py.Module("carrying", "carrying.py", carrying)
				if err != nil {
					return err
				}
				_, err = module.CallMethod(py, "call", "asyncio.to_thread", f)
				return err
			}))
		}
	}
}

// TestCancellationReachesPythonsThreads ends a context while a Go function waits on a thread that
// Python made, which nothing else would end.
func TestCancellationReachesPythonsThreads(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := python(t).Do(ctx, func(py *Py) error {
		wait, err := py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
			cancel()
			py.Detach(func() { <-py.Context().Done() })
			return nil, py.Context().Err()
		})
		if err != nil {
			return err
		}
		module, err := py.Module("carrying", "carrying.py", carrying)
		if err != nil {
			return err
		}
		_, err = module.CallMethod(py, "call", "asyncio.to_thread", wait)
		return err
	})
	assert.ErrorIs(t, err, context.Canceled)
}

// TestContextAfterItsCall calls a Go function after the Do that its contextvars come from: the
// context is that Do's still.
func TestContextAfterItsCall(t *testing.T) {
	rt := python(t)
	ctx, cancel := context.WithCancel(t.Context())
	var module, f *Object
	var found error
	require.NoError(t, rt.Do(ctx, func(py *Py) (err error) {
		f, err = py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
			found = py.Context().Err()
			return nil, nil
		})
		if err != nil {
			return err
		}
		module, err = py.Module("later", "later.py", carrying+"kept = contextvars.copy_context()\n"+
			"def later(f): on_thread(lambda: kept.run(f))\n")
		return err
	}))
	cancel()
	do(t, func(py *Py) error {
		_, err := module.CallMethod(py, "later", f)
		return err
	})
	assert.ErrorIs(t, found, context.Canceled)
}
