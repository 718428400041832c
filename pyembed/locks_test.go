package pyembed

import (
	"context"
	"math/rand/v2"
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
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(500+rand.IntN(3000))*time.Microsecond)
				err := thread.Do(ctx, func(py *Py) error { return py.Exec("loop()") })
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NoError(t, thread.Do(t.Context(), func(py *Py) error {
					return py.Exec("import threading; done = []; u = threading.Thread(target=use, daemon=True); u.start(); u.join(5)\n" +
						"assert done, 'a lock is held'")
				}), "after %d loops, of which the last ended with %v", i+1, err)
			}
		})
	}
	assert.NoError(t, rt.Do(t.Context(), func(py *Py) error { return py.Exec("import logging; logging.warning('')") }))
}
