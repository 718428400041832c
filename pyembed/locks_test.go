package pyembed

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Code that is stopped at any moment leaves no lock of Python's own library held, which would block
// all others for ever.
func TestCancellationLeavesNoLockHeld(t *testing.T) {
	rt := python(t)
	for name, c := range map[string]struct{ setUp, loop, use string }{
		"logging": {
			"import io, logging; log = logging.getLogger('locks'); log.addHandler(logging.StreamHandler(io.StringIO())); n = 0",
			"log.warning('x'); log.setLevel(30); logging.getLogger(f'locks.{n % 10}'); n += 1",
			"log.warning('x'); logging.getLogger('locks.use').setLevel(30)",
		},
		"logging configuration": {
			"import logging.config; c = {'version': 1, 'disable_existing_loggers': False, 'loggers': {'locks.c': {'level': 'INFO'}}}",
			"logging.config.dictConfig(c)", "logging.config.dictConfig(c)",
		},
		"condition": {
			"import threading; c = threading.Condition()",
			"with c: c.notify_all()", "with c: pass",
		},
		"queue":     {"import queue; q = queue.Queue()", "q.put(1); q.get()", "q.put(1); q.get()"},
		"semaphore": {"import threading; s = threading.BoundedSemaphore(1)", "with s: pass", "with s: pass"},
		"event":     {"import threading; e = threading.Event()", "e.set(); e.wait(); e.clear()", "e.set()"},
		"timed wait": {
			"import threading; e = threading.Event()", "e.wait(0.0001)", "e.set(); e.clear()",
		},
		"threads": {
			"import threading",
			"t = threading.Thread(target=int, daemon=True); t.start()", "t = threading.Thread(target=int); t.start(); t.join()",
		},
		"executors": {
			"import concurrent.futures as f", "p = f.ThreadPoolExecutor(1); p.submit(int); p.shutdown(wait=False)",
			"f.ThreadPoolExecutor(1).submit(int).result()",
		},
		"executor": {
			"import concurrent.futures as f; p = f.ThreadPoolExecutor(1)", "p.submit(int).result()", "p.submit(int).result()",
		},
	} {
		t.Run(name, func(t *testing.T) {
			thread := rt.NewThread()
			defer thread.Close()
			require.NoError(t, thread.Do(t.Context(), func(py *Py) error {
				return py.Exec(c.setUp + "\ndef use():\n  " + c.use + "\n  done.append(1)\n" +
					"def loop():\n  global n\n  while True:\n    " + c.loop + "\n    for _ in range(1000): pass\n")
			}))
			for i := range 60 {
				err := stopLoop(t, thread, time.Duration(500+rand.IntN(3000))*time.Microsecond)
				require.NoError(t, useLock(t, thread), "after %d loops, of which the last ended with %v", i+1, err)
			}
		})
	}
	assert.NoError(t, rt.Do(t.Context(), func(py *Py) error { return py.Exec("import logging; logging.warning('')") }))
}

// stopLoop runs the function loop, which ends by the end of its context alone, and returns its
// error.
func stopLoop(t *testing.T, thread *Thread, after time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	err := thread.Do(ctx, func(py *Py) error { return py.Exec("loop()") })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	return err
}

// useLock calls the function use in another thread of Python's, and returns an error when it does
// not end.
func useLock(t *testing.T, thread *Thread) error {
	return thread.Do(t.Context(), func(py *Py) error {
		return py.Exec("import threading; done = []; u = threading.Thread(target=use, daemon=True); u.start(); u.join(5)\n" +
			"assert done, 'a lock is held'")
	})
}

// The exceptions that follow when code catches the first one leave no lock held, either.
func TestInsistenceLeavesNoLockHeld(t *testing.T) {
	rt := python(t)
	for name, c := range map[string]struct{ setUp, work, use string }{
		"semaphore": {
			"import threading; s = threading.BoundedSemaphore(1)", "with s:\n        for _ in range(3000): pass", "with s: pass",
		},
		"condition": {
			"import threading; s = threading.Condition()", "with s:\n        for _ in range(3000): pass", "with s: pass",
		},
		"queue": {
			"import queue\nclass Q(queue.Queue):\n  def _put(self, x):\n    for _ in range(3000): pass\n    super()._put(x)\nq = Q()",
			"q.put(1); q.get()", "q.put(1)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			thread := rt.NewThread()
			defer thread.Close()
			require.NoError(t, thread.Do(t.Context(), func(py *Py) error {
				return py.Exec(c.setUp + "\ndef use():\n  " + c.use + "\n  done.append(1)\n" +
					"def loop():\n  while True:\n    try:\n      " + c.work + "\n    except BaseException: pass\n")
			}))
			for range 3 {
				_ = stopLoop(t, thread, 50*time.Millisecond)
				require.NoError(t, useLock(t, thread))
			}
		})
	}
}

// What Interrupt cannot do is an error.
func TestInterruptRefuses(t *testing.T) {
	rt := python(t)
	do(t, func(py *Py) error {
		class, err := py.Eval("KeyError")
		require.NoError(t, err)
		raised, err := rt.Interrupt(12345, class)
		assert.False(t, raised)
		require.ErrorContains(t, err, "no thread 12345")
		five, err := py.From(5)
		require.NoError(t, err)
		_, err = rt.Interrupt(uint64(py.thread.id), five)
		require.ErrorContains(t, err, "subclass of BaseException")
		return py.Exec("pass")
	})
}

// A thread that stays in logging is not looked at all the time, and the switch interval comes back.
func TestLookingAtAThreadThatLogs(t *testing.T) {
	rt := python(t)
	do(t, func(py *Py) error {
		return py.Exec("import logging, sys, time\nbefore = sys.getswitchinterval()\nclass Sleeps(logging.Handler):\n" +
			"  def emit(self, r): time.sleep(1)\nlogging.getLogger('sleeps').addHandler(Sleeps())")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_ = rt.Do(ctx, func(py *Py) error {
		return py.Exec("used = time.process_time()\nlogging.getLogger('sleeps').warning('x')")
	})
	do(t, func(py *Py) error {
		return py.Exec("used = time.process_time() - used; assert used < 0.5, used\n" +
			"assert sys.getswitchinterval() == before, sys.getswitchinterval()")
	})
}

// A finalizer that takes long does not hold up the end of other calls, and ends with its own call.
func TestFinalizersHoldNobodyUp(t *testing.T) {
	rt := python(t)
	thread := rt.NewThread()
	defer thread.Close()
	abandon := func(code string) {
		require.NoError(t, thread.Do(t.Context(), func(py *Py) error {
			if err := py.Exec(code); err != nil {
				return err
			}
			_, err := py.Eval("Slow()")
			return err
		}))
	}
	endless := func() time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, thread.Do(ctx, func(py *Py) error { return py.Exec("while True: pass") }), context.DeadlineExceeded)
		return time.Since(began)
	}
	abandon("import time\nclass Slow:\n  def __del__(self): time.sleep(3)")
	runtime.GC()
	time.Sleep(100 * time.Millisecond) // until nobody else has dropped it
	assert.Less(t, endless(), 2*time.Second)
	abandon("class Slow:\n  def __del__(self):\n    end = time.monotonic() + 6\n    while time.monotonic() < end: pass")
	runtime.GC()
	time.Sleep(2 * time.Millisecond)
	assert.Less(t, endless(), 4*time.Second)
}

// Reading a list may run code that changes it.
func TestListThatItsItemsChange(t *testing.T) {
	do(t, func(py *Py) error {
		require.NoError(t, py.Exec(
			"class Clears:\n  def __float__(self):\n    changing.clear()\n    return 'x'\nchanging = [Clears(), 1.0]"))
		list, err := py.Eval("changing")
		require.NoError(t, err)
		_, err = As[[]float64](py, list)
		assert.Error(t, err)
		return nil
	})
}

type embedsItself struct {
	//lint:ignore U1000 that it is there is the question
	*embedsItself
	A int
}

func TestStructThatEmbedsItself(t *testing.T) {
	do(t, func(py *Py) error {
		o, err := py.From(embedsItself{A: 1})
		require.NoError(t, err)
		text, err := o.Str(py)
		assert.Equal(t, "{'A': 1}", text)
		return err
	})
}

// Looking at exceptions ends, also when their class is not a group or makes new ones each time.
func TestEndlessExceptions(t *testing.T) {
	rt := python(t)
	for _, base := range []string{"Exception", "ExceptionGroup"} {
		err := rt.Do(t.Context(), func(py *Py) error {
			return py.Exec("class E(" + base + "):\n  @property\n  def exceptions(self): return [E('m', [ValueError()])]\nraise E('m', [ValueError()])")
		})
		assert.ErrorIs(t, err, Class("Exception"))
	}
}
