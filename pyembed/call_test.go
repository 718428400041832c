package pyembed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What goes from Go through Python back to Go.

// throughPython calls a Go function by way of Python code, and returns Python's error.
func throughPython(t *testing.T, py *Py, fn Func) error {
	t.Helper()
	module, err := py.Module("through", "through.py", "def call(f): return f()\n")
	require.NoError(t, err)
	f, err := py.Func(fn)
	require.NoError(t, err)
	_, err = module.CallMethod(py, "call", f)
	return err
}

func TestGoErrorsSurvivePython(t *testing.T) {
	do(t, func(py *Py) error {
		err := throughPython(t, py, func(*Py, []*Object, map[string]*Object) (any, error) { return nil, io.EOF })
		assert.ErrorIs(t, err, io.EOF)
		assert.ErrorIs(t, err, Class("_pyembed.GoError"))
		wrapped := fmt.Errorf("reading: %w", io.ErrUnexpectedEOF)
		err = throughPython(t, py, func(*Py, []*Object, map[string]*Object) (any, error) { return nil, wrapped })
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.ErrorContains(t, err, "reading: unexpected EOF")

		// As the cause and the member of a group, too.
		module, err := py.Module("raising", "raising.py", `
def cause(f):
    try: f()
    except Exception as e: raise OSError("outer") from e
def group(f):
    try: f()
    except Exception as e: raise ExceptionGroup("several", [ValueError("v"), e])
`)
		require.NoError(t, err)
		f, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return nil, io.EOF })
		require.NoError(t, err)
		for _, function := range []string{"cause", "group"} {
			_, err = module.CallMethod(py, function, f)
			assert.ErrorIs(t, err, io.EOF, function)
		}
		assert.ErrorIs(t, err, Class("ValueError"), "a member of the group")
		var group *Error
		require.ErrorAs(t, err, &group)
		require.Len(t, group.Group, 2)
		assert.Equal(t, "ValueError: v", group.Group[0].Error())
		assert.Contains(t, group.Traceback(), "Exception 2 of the group")
		return nil
	})
}

func TestPanicsSurvivePython(t *testing.T) {
	cause := errors.New("cause")
	do(t, func(py *Py) error {
		err := throughPython(t, py, func(*Py, []*Object, map[string]*Object) (any, error) { panic(cause) })
		var p *Panic
		require.ErrorAs(t, err, &p)
		assert.Same(t, cause, p.Value)
		assert.Contains(t, string(p.Stack), "call_test.go")
		assert.ErrorIs(t, err, cause)
		var exception *Error
		require.ErrorAs(t, err, &exception)
		assert.Equal(t, "_pyembed.GoPanic: panic: cause", exception.Error())
		assert.Contains(t, strings.Join(exception.Notes, ""), "call_test.go", "Python shows the stack")
		return nil
	})
	rt := python(t)
	defer func() {
		p := recover().(*Panic)
		assert.Same(t, cause, p.Value)
		assert.ErrorIs(t, p, cause)
	}()
	_ = rt.Do(t.Context(), func(*Py) error { return rt.Main().Do(t.Context(), func(*Py) error { panic(cause) }) })
}

func TestCallbacksGetTheCallersContext(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	rt := python(t)
	require.NoError(t, rt.Do(ctx, func(py *Py) error {
		return throughPython(t, py, func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
			assert.Equal(t, "value", py.Context().Value(key{}))
			inner := context.WithValue(py.Context(), key{}, "inner")
			return nil, rt.Do(inner, func(py *Py) error {
				return throughPython(t, py, func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
					assert.Equal(t, "inner", py.Context().Value(key{}))
					return nil, nil
				})
			})
		})
	}))
	limited, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := rt.Do(limited, func(py *Py) error {
		return throughPython(t, py, func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
			py.Detach(func() { <-py.Context().Done() })
			return nil, py.Context().Err()
		})
	})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestPythonKeepsItsTracebacks looks at an exception that Python holds, after Go has seen it.
func TestPythonKeepsItsTracebacks(t *testing.T) {
	do(t, func(py *Py) error {
		module, err := py.Module("futures", "futures.py", `
import concurrent.futures, traceback
future = concurrent.futures.Future()
def work():
    raise KeyError("lost")
try: work()
except KeyError as e: future.set_exception(e)
def shown(): return "".join(traceback.format_exception(future.exception()))
`)
		require.NoError(t, err)
		future, err := module.Attr(py, "future")
		require.NoError(t, err)
		for range 2 {
			_, err = future.CallMethod(py, "result")
			var exception *Error
			require.ErrorAs(t, err, &exception)
			assert.Contains(t, exception.Traceback(), "in work")
			o, err := module.CallMethod(py, "shown")
			require.NoError(t, err)
			text, err := As[string](py, o)
			require.NoError(t, err)
			assert.Contains(t, text, "line 5, in work")
		}
		return nil
	})
}

func TestCallsDoNotShareContextVariables(t *testing.T) {
	rt := python(t)
	const set = "import contextvars, decimal\nif 'shared' not in globals(): shared = contextvars.ContextVar('shared', default=0)\n" +
		"assert shared.get() == 0 and decimal.getcontext().prec == 28, (shared.get(), decimal.getcontext().prec)\n" +
		"shared.set(1); decimal.getcontext().prec = 5\n"
	for range 20 {
		require.NoError(t, rt.Do(t.Context(), func(py *Py) error {
			require.NoError(t, py.Exec(set))
			return rt.Do(t.Context(), func(py *Py) error { return py.Exec("assert shared.get() == 1") })
		}))
		require.NoError(t, rt.Main().Do(t.Context(), func(py *Py) error { return py.Exec(set) }))
	}
	thread := rt.NewThread() // keeps them
	defer thread.Close()
	require.NoError(t, thread.Do(t.Context(), func(py *Py) error { return py.Exec(set) }))
	require.NoError(t, thread.Do(t.Context(), func(py *Py) error { return py.Exec("assert shared.get() == 1") }))
}

func TestFailingModuleIsForgotten(t *testing.T) {
	do(t, func(py *Py) error {
		_, err := py.Module("half_made", "half_made.py", "a = 1\nraise OSError\n")
		assert.ErrorIs(t, err, Class("OSError"))
		_, err = py.Import("half_made")
		assert.ErrorIs(t, err, Class("ModuleNotFoundError"))
		_, err = py.Module("half_made", "half_made.py", "a = 1\n")
		require.NoError(t, err)
		_, err = py.Module("half_made", "half_made.py", "a = 2\nraise OSError\n")
		assert.ErrorIs(t, err, Class("OSError"))
		return py.Exec("import half_made; assert half_made.a == 2, 'a reload stays'")
	})
}

func TestRaisingPythonClasses(t *testing.T) {
	do(t, func(py *Py) error {
		for _, class := range []Class{"ValueError", "json.decoder.JSONDecodeError", "concurrent.futures.TimeoutError"} {
			err := throughPython(t, py, func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
				if class == "json.decoder.JSONDecodeError" {
					return nil, class.New(py, "bad", "document", 3)
				}
				return nil, class.New(py, "bad")
			})
			var exception *Error
			require.ErrorAs(t, err, &exception)
			assert.Contains(t, exception.Error(), "bad")
			assert.NotErrorIs(t, err, Class("_pyembed.GoError"))
			if class == "json.decoder.JSONDecodeError" {
				assert.ErrorIs(t, err, class)
				pos, err := exception.Exception().Attr(py, "pos")
				require.NoError(t, err)
				check, err := As[int](py, pos)
				require.NoError(t, err)
				assert.Equal(t, 3, check)
			}
		}
		assert.ErrorIs(t, Class("nothing.Here").New(py), Class("ModuleNotFoundError"))
		assert.ErrorIs(t, Class("json.Here").New(py), Class("AttributeError"))
		assert.ErrorContains(t, Class("int").New(py, 3), "a Python int is not an exception")
		return nil
	})
}

// TestTangledExceptions makes exceptions that refer to each other in circles and many times over.
func TestTangledExceptions(t *testing.T) {
	do(t, func(py *Py) error {
		for _, code := range []string{
			"e = ValueError('e'); e.__cause__ = ExceptionGroup('g', [e]); raise e",
			"e = ValueError('e'); raise ExceptionGroup('g', [e]) from e",
			"g = ValueError('e')\nfor _ in range(60): g = ExceptionGroup('g', [g, g])\nraise g",
			"e = ValueError('e')\nfor _ in range(60):\n  n = ValueError('n'); n.__cause__ = n.__context__ = e; e = ExceptionGroup('g', [n, n])\nraise e",
			"a, b = ValueError('a'), ValueError('b'); a.__cause__, b.__context__ = b, a; raise a",
		} {
			err := py.Exec(code)
			assert.NotErrorIs(t, err, Class("KeyError"), code)
			var exception *Error
			require.ErrorAs(t, err, &exception)
			assert.Less(t, len(exception.Traceback()), 1<<16, code)
		}
		err := py.Exec("e = ValueError('e'); raise ExceptionGroup('g', [e]) from e")
		var group *Error
		require.ErrorAs(t, err, &group)
		assert.Equal(t, "ValueError: e", group.Cause.Error())
		assert.Equal(t, "ValueError: e", group.Group[0].Error())
		return nil
	})
}

func TestNotes(t *testing.T) {
	do(t, func(py *Py) error {
		err := py.Exec("e = ValueError('v'); e.add_note('one'); e.add_note('two'); raise e")
		var exception *Error
		require.ErrorAs(t, err, &exception)
		assert.Equal(t, []string{"one", "two"}, exception.Notes)
		assert.True(t, strings.HasSuffix(exception.Traceback(), "ValueError: v\none\ntwo\n"))
		return nil
	})
}

func TestObjectOperations(t *testing.T) {
	do(t, func(py *Py) error {
		o, err := py.Eval("{'a': 1}")
		require.NoError(t, err)
		text, err := o.Str(py)
		require.NoError(t, err)
		assert.Equal(t, "{'a': 1}", text)
		has, err := o.Contains(py, "a")
		require.NoError(t, err)
		assert.True(t, has)
		require.NoError(t, o.DelItem(py, "a"))
		assert.ErrorIs(t, o.DelItem(py, "a"), Class("KeyError"))
		empty, err := o.Compare(py, "==", map[string]int{})
		require.NoError(t, err)
		assert.True(t, empty)
		_, err = o.Compare(py, "<", 1)
		assert.ErrorIs(t, err, Class("TypeError"))
		_, err = o.Compare(py, "is", 1)
		assert.ErrorContains(t, err, `not "is"`)
		three, err := py.From(3)
		require.NoError(t, err)
		for operator, want := range map[string]bool{"<": true, "<=": true, "==": false, "!=": true, ">": false, ">=": false} {
			got, err := three.Compare(py, operator, 4)
			require.NoError(t, err)
			assert.Equal(t, want, got, operator)
		}
		_, err = three.Contains(py, 1)
		assert.ErrorIs(t, err, Class("TypeError"))
		class, err := py.Eval("int")
		require.NoError(t, err)
		is, err := three.IsInstance(py, class)
		require.NoError(t, err)
		assert.True(t, is)
		module, err := py.Module("deletions", "deletions.py", "a = 1")
		require.NoError(t, err)
		require.NoError(t, module.DelAttr(py, "a"))
		assert.ErrorIs(t, module.DelAttr(py, "a"), Class("AttributeError"))
		return nil
	})
}

func TestUnsetenv(t *testing.T) {
	do(t, func(py *Py) error {
		require.NoError(t, py.Setenv("PYEMBED_GONE", "x"))
		require.NoError(t, py.Unsetenv("PYEMBED_GONE"))
		require.NoError(t, py.Unsetenv("PYEMBED_GONE"))
		return py.Exec("import os; assert 'PYEMBED_GONE' not in os.environ and os.getenv('PYEMBED_GONE') is None")
	})
}

// A Go error that wraps a Python exception goes through Python as that exception, and is found
// again.
func TestWrappedExceptionsGoThroughPython(t *testing.T) {
	do(t, func(py *Py) error {
		_, missing := py.Eval("{}['k']")
		require.ErrorIs(t, missing, Class("KeyError"))
		for _, wrapping := range []error{errors.Join(io.EOF, missing), fmt.Errorf("reading config: %w (%w)", missing, io.EOF)} {
			err := throughPython(t, py, func(*Py, []*Object, map[string]*Object) (any, error) { return nil, wrapping })
			assert.ErrorIs(t, err, Class("KeyError"))
			assert.ErrorIs(t, err, io.EOF)
			exception, ok := errors.AsType[*Error](err)
			require.True(t, ok)
			assert.Contains(t, exception.Notes, wrapping.Error())
		}
		return nil
	})
}

func TestConversionsAtTheEdge(t *testing.T) {
	do(t, func(py *Py) error {
		huge, err := py.Eval("1e300+0j")
		require.NoError(t, err)
		_, err = As[complex64](py, huge)
		require.ErrorContains(t, err, "does not fit into complex64")
		none, err := py.From(json.RawMessage(nil))
		require.NoError(t, err)
		text, err := none.Str(py)
		assert.Equal(t, "None", text)
		return err
	})
}
