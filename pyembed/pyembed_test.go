package pyembed

import (
	"context"
	"errors"
	"math/big"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testConfig is how tests start the interpreter.
var testConfig = Config{Variable: "VLLMGO_PYTHON", Env: map[string]string{"PYEMBED_TEST": "before"}}

// python is the interpreter that the tests share, as a process has one only.
func python(t *testing.T) *Interpreter {
	t.Helper()
	rt, err := Start(testConfig)
	if err != nil {
		if os.Getenv("VLLMGO_REQUIRE_VLLM") != "" {
			t.Fatal(err)
		}
		t.Skip("no embeddable Python:", err)
	}
	return rt
}

// do runs fn attached and fails the test with its error.
func do(t *testing.T, fn func(py *Py) error) {
	t.Helper()
	require.NoError(t, python(t).Do(t.Context(), fn))
}

func TestCall(t *testing.T) {
	do(t, func(py *Py) error {
		json, err := py.Import("json")
		if err != nil {
			return err
		}
		text, err := json.CallMethod(py, "dumps", map[string]any{"b": []int{1, 2}, "a": nil}, Kw{"sort_keys": true})
		if err != nil {
			return err
		}
		got, err := As[string](py, text)
		assert.Equal(t, `{"a": null, "b": [1, 2]}`, got)
		return err
	})
}

func TestValuesRoundTrip(t *testing.T) {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	deep := any(int64(1))
	for range maxDepth / 4 {
		deep = []any{deep}
	}
	for _, value := range []any{
		nil, true, false, int64(0), int64(-1 << 63), int64(1<<63 - 1), huge, 0.0, -1.5e300,
		"", "é\x00漢😀", "lone \xed\xa0\x80 surrogate", []byte{}, []byte{0, 255},
		[]any{}, []any{int64(1), "x", nil}, Tuple{}, Tuple{int64(1), Tuple{2.5}},
		map[string]any{"a": []any{true}}, map[any]any{int64(1): "one", "two": int64(2)}, deep,
	} {
		do(t, func(py *Py) error {
			o, err := py.From(value)
			if err != nil {
				return err
			}
			got, err := As[any](py, o)
			assert.Equal(t, value, got)
			return err
		})
	}
}

func TestTypedValues(t *testing.T) {
	type inner struct {
		Name string `py:"name"`
		Skip int    `py:"-"`
	}
	type outer struct {
		IDs   []int32 `py:"ids"`
		Inner *inner  `py:"inner"`
		Big   *big.Int
		Flags map[string]bool `py:"flags"`
		Pair  [2]uint8        `py:"pair"`
	}
	want := outer{[]int32{1, -2}, &inner{Name: "n"}, big.NewInt(7), map[string]bool{"x": true}, [2]uint8{3, 255}}
	do(t, func(py *Py) error {
		o, err := py.From(want)
		if err != nil {
			return err
		}
		got, err := As[outer](py, o)
		assert.Equal(t, want, got)
		return err
	})
}

func TestConversionErrorsNameThePath(t *testing.T) {
	cyclic := []any{nil}
	cyclic[0] = cyclic
	do(t, func(py *Py) error {
		_, err := py.From(map[string]any{"a": []any{1, make(chan int)}})
		assert.ErrorContains(t, err, `["a"][1]: a Go chan int has no Python form`)
		_, err = py.From(cyclic)
		assert.ErrorContains(t, err, "or a cycle")
		_, err = py.From("\xff")
		assert.ErrorIs(t, err, Class("UnicodeDecodeError"))

		o, err := py.Eval(`{"ids": [1, 2, 2**31], "name": 3}`)
		if err != nil {
			return err
		}
		_, err = As[map[string]any](py, o)
		assert.NoError(t, err)
		var target struct {
			IDs []int32 `py:"ids"`
		}
		assert.ErrorContains(t, py.Into(o, &target), ".ids[2]: the int does not fit into int32")
		var named struct {
			Name string `py:"name"`
		}
		assert.ErrorContains(t, py.Into(o, &named), ".name: a Python int has no Go form as string")
		if err := py.Exec("loop = []; loop.append(loop)"); err != nil {
			return err
		}
		loop, err := py.Eval("loop")
		if err != nil {
			return err
		}
		_, err = As[any](py, loop)
		assert.ErrorContains(t, err, "or a cycle")
		return nil
	})
}

// framesModule raises exceptions whose frames hold objects, and counts those that are alive.
const framesModule = `
import traceback, weakref

class Large: pass

alive = weakref.WeakSet()

def keep():
    large = Large()
    alive.add(large)
    raise KeyError("k")

def fail():
    large = Large()
    alive.add(large)
    try:
        keep()
    except KeyError as e:
        raise OSError("disk") from e

def fail_hidden():
    try:
        keep()
    except KeyError:
        raise OSError("disk") from None

def fail_group():
    large = Large()
    alive.add(large)
    failed = []
    for call in (fail, fail_hidden):
        try:
            call()
        except OSError as e:
            failed.append(e)
    raise ExceptionGroup("group", failed)

def fail_often(times=2000):
    failed = None
    for _ in range(times):
        try:
            try:
                keep()
            finally:
                if failed is not None:
                    raise OSError("again") from failed
        except (KeyError, OSError) as e:
            failed = e
    raise failed

def count():
    return len(alive)

def handle(call):
    try:
        {}["handled"]
    except KeyError as e:
        call()
        return "in handle" in "".join(traceback.format_exception(e))
`

// TestErrorsKeepNoFrames holds an error; what the frames of its exception, and of those that it
// comes from, had is gone. What Python handles at the time keeps its traceback.
func TestErrorsKeepNoFrames(t *testing.T) {
	do(t, func(py *Py) error {
		module, err := py.Module("frames", "frames.py", framesModule)
		require.NoError(t, err)
		for _, function := range []string{"fail", "fail_hidden", "fail_group", "fail_often"} {
			_, failed := module.CallMethod(py, function)
			require.ErrorIs(t, failed, Class("OSError"))
			count, err := module.CallMethod(py, "count")
			require.NoError(t, err)
			n, err := As[int](py, count)
			require.NoError(t, err)
			assert.Zero(t, n, function)
			runtime.KeepAlive(failed)
		}
		call, err := py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) {
			_, err := module.CallMethod(py, "fail")
			assert.Error(t, err)
			return nil, nil
		})
		require.NoError(t, err)
		handled, err := module.CallMethod(py, "handle", call)
		require.NoError(t, err)
		shown, err := As[bool](py, handled)
		assert.True(t, shown, "the traceback of the exception that was handled meanwhile")
		return err
	})
}

func TestErrors(t *testing.T) {
	err := python(t).Do(t.Context(), func(py *Py) error {
		_, err := py.Module("broken", "broken.py", "def f():\n"+
			"    try:\n        {}['k']\n    except KeyError as e:\n        raise OSError('disk') from e\nf()\n")
		return err
	})
	var exception *Error
	require.ErrorAs(t, err, &exception)
	assert.Equal(t, "OSError: disk", exception.Error())
	assert.ErrorIs(t, err, Class("OSError"))
	assert.ErrorIs(t, err, Class("Exception"))
	assert.ErrorIs(t, err, Class("KeyError"), "the cause is unwrapped")
	assert.NotErrorIs(t, err, Class("ValueError"))
	require.NotNil(t, exception.Cause)
	assert.Equal(t, "KeyError: 'k'", exception.Cause.Error())
	last := exception.Frames[len(exception.Frames)-1]
	assert.Equal(t, Frame{"broken.py", 5, "f"}, last)
	assert.Contains(t, exception.Traceback(), "The above exception was the direct cause")
}

func TestExceptionThatCannotBeDescribed(t *testing.T) {
	err := python(t).Do(t.Context(), func(py *Py) error {
		return py.Exec("class Bad(Exception):\n  def __str__(self): raise ValueError\nraise Bad()")
	})
	assert.ErrorContains(t, err, "no message")
}

func TestCancelEndsPythonLoop(t *testing.T) {
	rt := python(t)
	thread := rt.NewThread()
	defer thread.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	err := thread.Do(ctx, func(py *Py) error {
		go cancel(reason)
		return py.Exec("try:\n  while True: pass\nexcept Exception: pass")
	})
	assert.ErrorIs(t, err, reason)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, Class("_pyembed.Interrupted"))
	for range 1000 { // the thread is clean afterwards
		require.NoError(t, thread.Do(t.Context(), func(py *Py) error { return py.Exec("sum(range(10))") }))
	}
}

func TestWaitingForAThreadObeysContext(t *testing.T) {
	rt := python(t)
	thread := rt.NewThread()
	defer thread.Close()
	busy, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = thread.Do(context.Background(), func(py *Py) error {
			py.Detach(func() { close(busy); <-release })
			return nil
		})
	}()
	<-busy
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, thread.Do(ctx, func(*Py) error { panic("must not run") }), context.Canceled)
	close(release)
}

func TestMainThreadIsPythonsMainThread(t *testing.T) {
	rt := python(t)
	onMain := func(py *Py) bool {
		o, err := py.Eval("__import__('threading').current_thread() is __import__('threading').main_thread()")
		require.NoError(t, err)
		main, err := As[bool](py, o)
		require.NoError(t, err)
		return main
	}
	require.NoError(t, rt.Main().Do(t.Context(), func(py *Py) error { assert.True(t, onMain(py)); return nil }))
	require.NoError(t, rt.Do(t.Context(), func(py *Py) error { assert.False(t, onMain(py)); return nil }))

	// signal.signal insists on it.
	const handle = "import signal; signal.signal(signal.SIGUSR2, signal.SIG_DFL)"
	require.NoError(t, rt.Main().Do(t.Context(), func(py *Py) error { return py.Exec(handle) }))
	assert.ErrorIs(t, rt.Do(t.Context(), func(py *Py) error { return py.Exec(handle) }), Class("ValueError"))
}

func TestSignalHandlersStayGos(t *testing.T) {
	do(t, func(py *Py) error {
		return py.Exec("import faulthandler, signal\n" +
			"assert not faulthandler.is_enabled()\n" +
			// A background job ignores SIGINT.
			"assert signal.getsignal(signal.SIGINT) in (None, signal.SIG_IGN), 'a handler that Python did not install'\n")
	})
}

func TestThreadKeepsThreadLocal(t *testing.T) {
	rt := python(t)
	thread := rt.NewThread()
	defer thread.Close()
	require.NoError(t, thread.Do(t.Context(), func(py *Py) error {
		return py.Exec("import threading; local = threading.local(); local.x = 1")
	}))
	require.NoError(t, thread.Do(t.Context(), func(py *Py) error { return py.Exec("local.x += 1") }))
	assert.ErrorIs(t, rt.Do(t.Context(), func(py *Py) error { return py.Exec("local.x") }), Class("AttributeError"))
}

func TestNestedDo(t *testing.T) {
	rt := python(t)
	other := rt.NewThread()
	defer other.Close()
	ran := 0
	count := func(*Py) error { ran++; return nil }
	do(t, func(py *Py) error {
		require.NoError(t, rt.Do(t.Context(), count))
		require.NoError(t, other.Do(t.Context(), func(*Py) error { return rt.Do(t.Context(), count) }))
		py.Detach(func() { require.NoError(t, rt.Do(t.Context(), count)) })
		return rt.Main().Do(t.Context(), count)
	})
	assert.Equal(t, 4, ran)
}

func TestManyGoroutinesFewThreads(t *testing.T) {
	rt := python(t)
	before := threads(t)
	var group sync.WaitGroup
	for range 10_000 {
		group.Go(func() {
			err := rt.Do(context.Background(), func(py *Py) error {
				o, err := py.Eval("1 + 1")
				if err != nil {
					return err
				}
				two, err := As[int](py, o)
				if two != 2 {
					return errors.New("not two")
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	assert.Less(t, threads(t)-before, 50)
}

// threads is the number of OS threads of the process.
func threads(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	return len(entries)
}

func TestPanicAndGoexitReachTheCaller(t *testing.T) {
	rt := python(t)
	assert.PanicsWithValue(t, "boom", func() {
		defer func() {
			value := recover().(*Panic)
			assert.Contains(t, string(value.Stack), "pyembed_test.go")
			panic(value.Value)
		}()
		_ = rt.Do(t.Context(), func(*Py) error { panic("boom") })
	})
	exited := make(chan bool)
	go func() {
		defer close(exited)
		_ = rt.Do(context.Background(), func(*Py) error { (&testing.T{}).SkipNow(); return nil })
		exited <- false
	}()
	_, returned := <-exited
	assert.False(t, returned)
	do(t, func(py *Py) error { return py.Exec("pass") })
}

func TestUseAfterDoPanics(t *testing.T) {
	var kept *Py
	var object *Object
	do(t, func(py *Py) (err error) {
		kept = py
		object, err = py.From(1)
		return err
	})
	assert.Panics(t, func() { _, _ = object.Attr(kept, "real") })
	do(t, func(py *Py) error {
		object.Release(py)
		assert.Panics(t, func() { _, _ = object.Attr(py, "real") })
		py.Detach(func() { assert.Panics(t, func() { _, _ = py.From(1) }) })
		return nil
	})
}

func TestEnvironment(t *testing.T) {
	do(t, func(py *Py) error {
		require.NoError(t, py.Setenv("PYEMBED_LATER", "x"))
		o, err := py.Eval("[__import__('os').environ.get(k) for k in ('PYEMBED_TEST', 'PYEMBED_LATER')]")
		if err != nil {
			return err
		}
		got, err := As[[]string](py, o)
		assert.Equal(t, []string{"before", "x"}, got)
		assert.Equal(t, "x", os.Getenv("PYEMBED_LATER"))
		return err
	})
}

func TestVirtualEnvironmentIsActive(t *testing.T) {
	rt := python(t)
	do(t, func(py *Py) error {
		o, err := py.Eval("__import__('sys').executable")
		if err != nil {
			return err
		}
		got, err := As[string](py, o)
		assert.Equal(t, rt.Python().Executable, got)
		return err
	})
}

func TestReferencesAreDropped(t *testing.T) {
	do(t, func(py *Py) error {
		if err := py.Exec("class Token: pass\ntoken = Token()"); err != nil {
			return err
		}
		count := func() int {
			o, err := py.Eval("__import__('sys').getrefcount(token)")
			require.NoError(t, err)
			n, err := As[int](py, o)
			require.NoError(t, err)
			return n
		}
		before := count()
		for range 1000 {
			token, err := py.Eval("token")
			require.NoError(t, err)
			list, err := py.From([]any{token, map[string]any{"t": token}})
			require.NoError(t, err)
			_, err = As[[]any](py, list)
			require.NoError(t, err)
			list.Release(py)
			token.Release(py)
		}
		// As made 2 Objects a round that only the garbage collector can release.
		for range 1000 {
			py.Detach(runtime.GC)
			py.thread.rt.drops.drain()
			if count() == before {
				return nil
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("%d references before, %d after", before, count())
		return nil
	})
}

func TestSecondStart(t *testing.T) {
	rt := python(t)
	again, err := Start(Config{})
	require.NoError(t, err)
	assert.Same(t, rt, again)
	_, err = Start(Config{Python: "/elsewhere/python3"})
	assert.ErrorContains(t, err, "a process has one Python")
}
