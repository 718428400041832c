package pyembed

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What people who embed Python have reported as broken elsewhere. Each report is named where it is
// tried.

func init() {
	// pybind11#1472, pytorch#23540: the process crashes at its end when a large extension module
	// was imported.
	programs["end with extensions"] = func(rt *Interpreter) error {
		err := rt.Do(context.Background(), func(py *Py) error {
			return py.Exec(`
import importlib.util, _hashlib, _ctypes, _decimal
for name in ("numpy", "torch"):
    if importlib.util.find_spec(name): __import__(name)
`)
		})
		if err != nil {
			return err
		}
		return rt.Shutdown(context.Background())
	}
}

func TestEndWithExtensionModules(t *testing.T) {
	output, err := inProcess(t, "end with extensions")
	assert.NoError(t, err, output)
	assert.Empty(t, output)
}

// reports are what failed in other embeddings, each with where it was reported.
var reports = map[string]string{
	// PyO3#983, pybind11#5238, python4delphi#278: children are copies of the host program
	// instead of Pythons.
	"multiprocessing by spawn": `
import multiprocessing, os, sys
sys.path.append(os.environ["PYEMBED_TEST_SPAWNED"])
from pyembed_spawned import work
with multiprocessing.get_context("spawn").Pool(1) as pool:
    value, pid = pool.apply(work, (21,))
assert value == 42 and pid != os.getpid()
`,
	// bpo-32573, LiberTEM#301: sys.argv is missing in embedded interpreters.
	"sys.argv": "import argparse, sys\nassert sys.argv == [''], sys.argv\nargparse.ArgumentParser()",
	// pythonnet#109: extension modules do not find libpython's symbols.
	"extension modules": "import _ctypes, _hashlib, _decimal, _sqlite3, _ssl, array, math, zlib",
	// asyncio's loop off the main thread, with a child process that SIGCHLD tells of.
	"asyncio": `
import asyncio, sys
async def main():
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(7)", stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(100)))
    return out.strip(), await asyncio.to_thread(sum, [1, 2])
assert asyncio.run(main()) == (b"7", 3)
`,
	// Children inherit a signal mask or ignored signals of the runtime's.
	"signals of children": `
import subprocess, sys
masks = dict(line.split(":\t") for line in subprocess.check_output(["grep", "^Sig", "/proc/self/status"], text=True).splitlines())
assert int(masks["SigBlk"], 16) == 0, masks
assert not int(masks["SigIgn"], 16) & (1 << 12), masks
subprocess.run(["true"], check=True)
`,
	// pyo3#2611, pytorch: deep recursion on a thread with a small stack is a crash.
	"deep recursion": `
import json
def down(): down()
for call in (down, lambda: json.loads("[" * 100_000), lambda: repr(nested)):
    nested = []
    for _ in range(100_000): nested = [nested]
    try: call()
    except RecursionError: pass
    else: raise AssertionError(call)
while nested: nested = nested.pop()
`,
	// A sleep or a read ends early, since the runtime sends signals to threads (PEP
	// 475 must hold).
	"interrupted system calls": `
import os, threading, time
begin = time.monotonic()
time.sleep(0.2)
assert time.monotonic() - begin >= 0.2
r, w = os.pipe()
threading.Timer(0.1, os.write, (w, b"x")).start()
assert os.read(r, 1) == b"x"
event = threading.Event()
begin = time.monotonic()
event.wait(0.1)
assert time.monotonic() - begin >= 0.1
`,
	// Contextvars, warnings and logging of the calling thread.
	"warnings and logging": `
import io, logging, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.warn("w")
assert len(caught) == 1 and caught[0].filename == "<go>"
stream = io.StringIO()
logger = logging.getLogger("reports"); logger.addHandler(logging.StreamHandler(stream)); logger.propagate = False
logger.warning("x %s", 1)
assert stream.getvalue() == "x 1\n"
`,
	// cpython#87556: Python's own signal handlers need Go's alternate stack.
	"signal handlers": `
import os, signal, threading
if threading.current_thread() is threading.main_thread():
    seen = []
    signal.signal(signal.SIGUSR1, lambda *args: seen.append(1))
    signal.raise_signal(signal.SIGUSR1)
    assert seen == [1]
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
`,
	// Executors whose workers outlive the call.
	"executors": "import concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor(4) as pool:\n  assert sum(pool.map(abs, range(-100, 0))) == 5050\n",
	// The number format of the host's locale reaches Python (Blender, GIMP).
	"decimal point": "assert float('1.5') == 1.5 and '%.1f' % 1.5 == '1.5'",
}

// TestReports runs what failed in other embeddings, on a pool thread, on the main one and on the
// goroutine's own.
func TestReports(t *testing.T) {
	rt := python(t)
	dir := write(t, "pyembed_spawned.py", "import os\ndef work(x): return x * 2, os.getpid()\n")
	do(t, func(py *Py) error { return py.Setenv("PYEMBED_TEST_SPAWNED", dir) })
	for name, code := range reports {
		t.Run(name, func(t *testing.T) {
			stop := make(chan struct{})
			defer close(stop)
			go func() { // keeps Go sending signals to preempt
				for {
					select {
					case <-stop:
						return
					default:
						runtime.GC()
						time.Sleep(time.Millisecond)
					}
				}
			}()
			run := func(py *Py) error { return py.Exec(code) }
			assert.NoError(t, rt.Do(t.Context(), run), "a pool thread")
			assert.NoError(t, rt.Main().Do(t.Context(), run), "the main thread")
			thread := rt.LockThread()
			defer thread.Close()
			assert.NoError(t, thread.Do(t.Context(), run), "the goroutine's thread")
		})
	}
}

// TestErrorTextNeedsNoInterpreter: PyO3#4764 deadlocked, since showing an error took the GIL under
// another lock.
func TestErrorTextNeedsNoInterpreter(t *testing.T) {
	rt := python(t)
	err := rt.Do(t.Context(), func(py *Py) error { return py.Exec("raise ValueError('v')") })
	do(t, func(py *Py) error { // which holds the GIL
		shown := make(chan string)
		go func() { shown <- fmt.Sprintf("%v %+v", err, err) }()
		assert.Contains(t, <-shown, "ValueError: v")
		return nil
	})
}

// TestReferencesDroppedOnAnyGoroutine: PyO3#1623 and #2611 crashed on references that were dropped
// without the GIL.
func TestReferencesDroppedOnAnyGoroutine(t *testing.T) {
	rt := python(t)
	objects := make(chan *Object, 1000)
	do(t, func(py *Py) error {
		for range cap(objects) {
			o, err := py.Eval("[object()]")
			if err != nil {
				return err
			}
			objects <- o
		}
		return nil
	})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-objects: // and forgets it
				default:
					return
				}
			}
		})
	}
	group.Wait()
	for range 5 {
		runtime.GC()
		require.NoError(t, rt.Do(t.Context(), func(py *Py) error { return py.Exec("import gc; gc.collect()") }))
	}
}

// TestSourceOfModules: inspect and dataclasses need modules made from text to look like files
// (pybind11#2045).
func TestSourceOfModules(t *testing.T) {
	do(t, func(py *Py) error {
		_, err := py.Module("looked_at", "looked_at.py", `
import dataclasses, inspect, pickle, typing
@dataclasses.dataclass
class Point:
    x: "int"
    y: typing.Optional["Point"] = None
def source(): return inspect.getsource(Point)
`)
		if err != nil {
			return err
		}
		return py.Exec(`
import looked_at, pickle, typing
assert "x: " in looked_at.source()
assert pickle.loads(pickle.dumps(looked_at.Point(1))).x == 1
assert typing.get_type_hints(looked_at.Point)["x"] is int
`)
	})
}

// TestStartAgainAfterImports: pybind11#2153 and #5080 crashed when a second interpreter imported
// numpy.
func TestStartAgainAfterImports(t *testing.T) {
	for range 2 {
		rt, err := Start(testConfig)
		require.NoError(t, err)
		require.NoError(t, rt.Do(t.Context(), func(py *Py) error {
			return py.Exec("import decimal, datetime, importlib.util\nif importlib.util.find_spec('numpy'): import numpy; numpy.zeros(3).sum()")
		}))
	}
}

// TestGreenlets: PyO3#3668 crashed when greenlets switched inside callbacks. Go cannot follow them,
// so that is an error.
func TestGreenlets(t *testing.T) {
	do(t, func(py *Py) error {
		if _, err := py.Import("greenlet"); errors.Is(err, Class("ModuleNotFoundError")) {
			t.Skip("this Python has no greenlet")
		}
		module, err := py.Module("greenlets", "greenlets.py", `
import greenlet
def back(): greenlet.getcurrent().parent.switch()
def run(f):
    out = []
    def work(n):
        try: out.append(f(n))
        except RuntimeError as e: out.append(str(e))
    a, b = greenlet.greenlet(work), greenlet.greenlet(work)
    a.switch(1)
    b.switch(2)
    a.switch()
    return out
`)
		require.NoError(t, err)
		f, err := py.Func(func(py *Py, args []*Object, _ map[string]*Object) (any, error) {
			_, err := module.CallMethod(py, "back")
			return args[0], err
		})
		require.NoError(t, err)
		o, err := module.CallMethod(py, "run", f)
		require.NoError(t, err)
		out, err := As[[]any](py, o)
		require.NoError(t, err)
		assert.Contains(t, out[0], "another greenlet has switched inside one")
		assert.Equal(t, int64(1), out[1])
		return nil
	})
}
