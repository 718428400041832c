package pyembed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGoFunctionsInPython(t *testing.T) {
	do(t, func(py *Py) error {
		join, err := py.Func(func(py *Py, args []*Object, kwargs map[string]*Object) (any, error) {
			a, err := As[string](py, args[0])
			if err != nil {
				return nil, err
			}
			n, err := As[int](py, kwargs["n"])
			return []any{a, n}, err
		})
		require.NoError(t, err)
		result, err := join.Call(py, "x", Kw{"n": 3})
		require.NoError(t, err)
		got, err := As[[]any](py, result)
		require.NoError(t, err)
		assert.Equal(t, []any{"x", int64(3)}, got)

		// Called by Python code, on a thread that Python made.
		module, err := py.Module("calls", "calls.py", `
import threading
def on_thread(f):
    result = []
    thread = threading.Thread(target=lambda: result.append(f("y", n=4)))
    thread.start()
    thread.join()
    return result
`)
		require.NoError(t, err)
		result, err = module.CallMethod(py, "on_thread", join)
		require.NoError(t, err)
		got, err = As[[]any](py, result)
		assert.Equal(t, []any{[]any{"y", int64(4)}}, got)
		return err
	})
}

func TestErrorsOfGoFunctions(t *testing.T) {
	do(t, func(py *Py) error {
		raise := func(err error) error {
			f, makeErr := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return nil, err })
			require.NoError(t, makeErr)
			_, callErr := f.Call(py)
			return callErr
		}
		assert.ErrorIs(t, raise(errors.New("plain")), Class("_pyembed.GoError"))
		_, keyError := py.Eval("{}['k']")
		var exception *Error
		require.ErrorAs(t, raise(keyError), &exception)
		assert.Equal(t, "KeyError: 'k'", exception.Error(), "an exception is raised as itself")

		panics, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { panic("boom") })
		require.NoError(t, err)
		_, err = panics.Call(py)
		assert.ErrorContains(t, err, "_pyembed.GoPanic: panic: boom")
		unconvertible, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return make(chan int), nil })
		require.NoError(t, err)
		_, err = unconvertible.Call(py)
		assert.ErrorContains(t, err, "a Go chan int has no Python form")
		return nil
	})
}

func TestGoFunctionIsFreedWithItsCallable(t *testing.T) {
	do(t, func(py *Py) error {
		freed := make(chan struct{})
		func() {
			big := new([1 << 10]int)
			runtime.AddCleanup(big, func(c chan struct{}) { close(c) }, freed)
			f, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return big[0], nil })
			require.NoError(t, err)
			f.Release(py)
		}()
		for range 1000 {
			runtime.GC()
			select {
			case <-freed:
				return nil
			case <-time.After(time.Millisecond):
			}
		}
		return errors.New("the function was not freed")
	})
}

func TestIter(t *testing.T) {
	do(t, func(py *Py) error {
		module, err := py.Module("numbers_", "numbers_.py", "def numbers():\n  yield 1\n  yield 2\n  raise ValueError('three')\n")
		require.NoError(t, err)
		numbers, err := module.CallMethod(py, "numbers")
		require.NoError(t, err)
		var got []int
		var last error
		for item, err := range numbers.Iter(py) {
			if last = err; err == nil {
				n, err := As[int](py, item)
				require.NoError(t, err)
				got = append(got, n)
			}
		}
		assert.Equal(t, []int{1, 2}, got)
		assert.ErrorIs(t, last, Class("ValueError"))
		one, err := py.From(1)
		require.NoError(t, err)
		for _, err := range one.Iter(py) {
			assert.ErrorIs(t, err, Class("TypeError"))
		}
		return nil
	})
}

func TestWith(t *testing.T) {
	do(t, func(py *Py) error {
		module, err := py.Module("manager", "manager.py", `
class Manager:
    seen = None
    def __init__(self, suppress): self.suppress = suppress
    def __enter__(self): return "value"
    def __exit__(self, kind, value, traceback):
        Manager.seen = None if kind is None else f"{kind.__name__}: {value}"
        return self.suppress
`)
		require.NoError(t, err)
		class, err := module.Attr(py, "Manager")
		require.NoError(t, err)
		with := func(suppress bool, fail error) (seen any, err error) {
			manager, err := class.Call(py, suppress)
			require.NoError(t, err)
			err = manager.With(py, func(value *Object) error {
				text, err := As[string](py, value)
				assert.Equal(t, "value", text)
				return errors.Join(err, fail)
			})
			o, attrErr := class.Attr(py, "seen")
			require.NoError(t, attrErr)
			seen, attrErr = As[any](py, o)
			require.NoError(t, attrErr)
			return seen, err
		}
		seen, err := with(false, nil)
		assert.NoError(t, err)
		assert.Nil(t, seen)
		failure := errors.New("failure")
		seen, err = with(false, failure)
		assert.ErrorIs(t, err, failure)
		assert.Equal(t, "GoError: failure", seen)
		_, err = with(true, failure)
		assert.NoError(t, err, "suppressed")
		return nil
	})
}

func TestRedirect(t *testing.T) {
	do(t, func(py *Py) error {
		original, err := py.Eval("(__import__('sys').stdout, __import__('sys').stderr)")
		require.NoError(t, err)
		var stdout, stderr bytes.Buffer
		require.NoError(t, py.RedirectStdout(&stdout))
		require.NoError(t, py.RedirectStderr(&stderr))
		err = py.Exec(`
import logging, sys
print("é", 1, flush=True)
sys.stdout.writelines(["a\n", "b\n"])
logging.getLogger("x").warning("w")
`)
		assert.NoError(t, err)
		main, importErr := py.Import("__main__")
		require.NoError(t, importErr)
		require.NoError(t, main.SetAttr(py, "original", original))
		require.NoError(t, py.Exec("sys.stdout, sys.stderr = original"))
		assert.Equal(t, "é 1\na\nb\n", stdout.String())
		assert.Equal(t, "w\n", stderr.String())
		return nil
	})
}

// TestGoErrorsAreCopied copies exceptions that carry Go errors in the ways that Python has. A copy
// carries the error too, and a pickled one is the exception alone.
func TestGoErrorsAreCopied(t *testing.T) {
	wrapping := fmt.Errorf("wraps: %w", io.EOF)
	var ownClass error
	err := python(t).Do(t.Context(), func(py *Py) error {
		ownClass = py.Exec("raise KeyError('a')")
		for name, failure := range map[string]error{
			"a Go error": wrapping, "around an exception": fmt.Errorf("%w: %w", io.EOF, ownClass),
		} {
			for how, carries := range map[string]bool{
				"e": true, "copy.copy(e)": true, "copy.deepcopy(e)": true, "pickle.loads(pickle.dumps(e))": false,
			} {
				f, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return nil, failure })
				require.NoError(t, err)
				module, err := py.Module("copies", "copies.py", `
import copy, pickle
def again(f):
    try:
        f()
    except Exception as e:
        raise `+how)
				require.NoError(t, err)
				_, err = module.CallMethod(py, "again", f)
				require.Error(t, err)
				assert.Equal(t, carries, errors.Is(err, io.EOF), "%s, %s: %v", name, how, err)
				if name == "a Go error" {
					assert.ErrorIs(t, err, Class("_pyembed.GoError"), how)
					assert.ErrorContains(t, err, "wraps: EOF", how)
				} else {
					assert.ErrorIs(t, err, Class("KeyError"), how)
				}
			}
		}
		return nil
	})
	require.NoError(t, err)
}
