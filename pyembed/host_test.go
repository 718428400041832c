package pyembed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What could end or block the host.

func init() {
	programs["nil dereference"] = func(rt *Interpreter) error {
		err := rt.Do(context.Background(), func(py *Py) error {
			return py.Exec("import faulthandler; faulthandler.enable(); assert not faulthandler.is_enabled()")
		})
		if err != nil {
			return err
		}
		for _, do := range []func(context.Context, func(*Py) error) error{rt.Do, rt.Main().Do} {
			func() {
				defer func() { fmt.Println("recovered", recover() != nil) }()
				_ = do(context.Background(), func(*Py) error {
					var p *int
					*p = 1
					return nil
				})
			}()
		}
		return nil
	}
	asked := make(chan os.Signal, 1)
	preludes["sigpipe elsewhere"] = func() { signal.Notify(asked, syscall.SIGPIPE) }
	programs["sigpipe elsewhere"] = func(rt *Interpreter) error {
		// Go's children must not ignore the signal.
		ignored, err := exec.Command("grep", "SigIgn", "/proc/self/status").Output()
		if err != nil {
			return err
		}
		var mask uint64
		if _, err := fmt.Sscanf(string(ignored), "SigIgn: %x", &mask); err != nil {
			return err
		}
		fmt.Println("ignored in children", mask&(1<<(syscall.SIGPIPE-1)) != 0)
		if err := syscall.Kill(os.Getpid(), syscall.SIGPIPE); err != nil {
			return err
		}
		fmt.Println("notified of", <-asked)
		for _, do := range []func(context.Context, func(*Py) error) error{rt.Do, rt.Main().Do} {
			err := do(context.Background(), func(py *Py) error {
				return py.Exec("import os\nr, w = os.pipe(); os.close(r)\ntry: os.write(w, b'x')\nexcept BrokenPipeError: print('EPIPE')")
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func init() {
	programs["fork"] = func(rt *Interpreter) error {
		var stop atomic.Bool
		defer stop.Store(true)
		for range runtime.GOMAXPROCS(0) { // Go is busy
			go func() {
				for !stop.Load() {
				}
			}()
		}
		return rt.Do(context.Background(), func(py *Py) error {
			call, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return nil, nil })
			if err != nil {
				return err
			}
			main, err := py.Import("__main__")
			if err != nil {
				return err
			}
			if err := main.SetAttr(py, "call", call); err != nil {
				return err
			}
			if err := py.RedirectStdout(io.Discard); err != nil {
				return err
			}
			return py.Exec(`
import logging, os, sys
handler = logging.StreamHandler(sys.stdout)
pid = os.fork()
if pid == 0:
    handler.emit(logging.LogRecord("kept", logging.INFO, "", 0, "a stream that was kept", (), None))
    try:
        call()
    except RuntimeError as e:
        sys.stdout.write(f"child: {e}\n")
        del call
        os._exit(7)
    os._exit(8)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.__stdout__.write(f"the child ended with {status}\n")
`)
		})
	}
}

func init() {
	programs["forked children that return"] = func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			call, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return nil, nil })
			if err != nil {
				return err
			}
			for _, body := range []string{
				"pass", "raise SystemExit", "sys.exit(3)", "sys.exit('bye')", "1/0", "raise KeyboardInterrupt", "call()",
				"sys.excepthook = lambda *_: call(); 1/0", "1+'a'",
			} {
				child, err := py.Module("children", "children.py", `
import os, sys
def fork(call):
    pid = os.fork()
    if pid == 0:
        `+body+`
    return pid
def status(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
`)
				if err != nil {
					return err
				}
				pid, err := child.CallMethod(py, "fork", call)
				if err != nil {
					return err
				}
				status, err := child.CallMethod(py, "status", pid)
				if err != nil {
					return err
				}
				n, err := As[int](py, status)
				if err != nil {
					return err
				}
				fmt.Printf("%s: %d\n", body, n)
			}
			return nil
		})
	}
	programs["signals in forked children"] = func(rt *Interpreter) error {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
		signal.Ignore(syscall.SIGUSR2)
		return rt.Main().Do(context.Background(), func(py *Py) error {
			return py.Exec(`
import os, signal, time
signal.signal(signal.SIGALRM, lambda *_: os._exit(5))
def ended_by(number):
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(done, b"x")
        time.sleep(1 if number in (signal.SIGUSR2, signal.SIGPIPE) else 60)
        os._exit(4)
    os.read(ready, 1)
    os.kill(pid, number)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("ended by", {name: ended_by(getattr(signal, name)) for name in
    ("SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGSEGV", "SIGPIPE", "SIGALRM")})
`)
		})
	}
	programs["C stdout"] = func(rt *Interpreter) error {
		err := rt.Do(context.Background(), func(py *Py) error {
			return py.Exec("import ctypes; ctypes.CDLL(None).printf(b'from C')")
		})
		if err == nil {
			os.Exit(3)
		}
		return err
	}
}

func TestRaisingReprIsAnError(t *testing.T) {
	err := python(t).Do(t.Context(), func(py *Py) error {
		return py.Exec(`
class Bad(BaseException):
    def __repr__(self): raise self
    __str__ = __repr__
class B(Exception):
    def __str__(self): raise Bad
    @property
    def __notes__(self): raise Bad
    @property
    def __suppress_context__(self): raise Bad
    @property
    def _go_error(self): raise Bad
raise B
`)
	})
	assert.ErrorIs(t, err, Class("__main__.B"))
	assert.ErrorContains(t, err, "__main__.B: <no message: __str__ raised>")
}

// TestRecursionThroughGo goes from Python to Go and back until Python's limit.
func TestRecursionThroughGo(t *testing.T) {
	err := python(t).Do(t.Context(), func(py *Py) error {
		module, err := py.Module("recursion", "recursion.py", "def down(call): return call()\n")
		if err != nil {
			return err
		}
		down, err := module.Attr(py, "down")
		if err != nil {
			return err
		}
		var call *Object
		call, err = py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) { return down.Call(py, call) })
		if err != nil {
			return err
		}
		_, err = down.Call(py, call)
		return err
	})
	assert.ErrorIs(t, err, Class("RecursionError"))
}

// TestRecursionOfGoFunctions calls a Go function that calls itself, with no Python function
// between.
func TestRecursionOfGoFunctions(t *testing.T) {
	rt := python(t)
	recurse := func(py *Py) error {
		var call *Object
		call, err := py.Func(func(py *Py, _ []*Object, _ map[string]*Object) (any, error) { return call.Call(py) })
		if err != nil {
			return err
		}
		_, err = call.Call(py)
		return err
	}
	assert.ErrorIs(t, rt.Do(t.Context(), recurse), Class("RecursionError"))
	do(t, func(py *Py) error {
		return py.Exec("import sys; limit = sys.getrecursionlimit(); sys.setrecursionlimit(10**6)")
	})
	assert.ErrorIs(t, rt.Do(t.Context(), recurse), Class("RecursionError"), "before the stack ends")
	do(t, func(py *Py) error { return py.Exec("sys.setrecursionlimit(limit)") })
	assert.ErrorIs(t, rt.Main().Do(t.Context(), recurse), Class("RecursionError"))
	thread := rt.LockThread()
	defer thread.Close()
	assert.ErrorIs(t, thread.Do(t.Context(), recurse), Class("RecursionError"))
}

func TestWhatEndsPythonsStartIsAnError(t *testing.T) {
	site := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(site, "sitecustomize.py"), []byte("raise SystemExit(5)\n"), 0o644))
	quiet := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(quiet, "sitecustomize.py"), []byte("raise SystemExit\n"), 0o644))
	for env, want := range map[string]string{
		"PYTHONHOME=/nowhere":       "No module named 'encodings'",
		"PYTHONHASHSEED=foo":        "PYTHONHASHSEED must be",
		"PYTHONIOENCODING=nonsense": "unknown encoding: nonsense",
		"PYTHONMALLOC=nonsense":     "PYTHONMALLOC",
		"PYTHONPATH=" + site:        "SystemExit: 5",
		"PYTHONPATH=" + quiet:       "sitecustomize.py",
	} {
		output, err := inProcess(t, "locale", env)
		assert.Error(t, err, env)
		assert.True(t, strings.HasPrefix(output, "pyembed: "), "%s: an error of Start: %s", env, output)
		assert.Contains(t, output, want, env)
	}
}

func TestFaulthandlerLeavesFaultsToGo(t *testing.T) {
	for _, env := range []string{"PYTHONFAULTHANDLER=1", "PYTHONDEVMODE=1", "PYTHONFAULTHANDLER="} {
		output, err := inProcess(t, "nil dereference", env)
		require.NoError(t, err, output)
		assert.Equal(t, "recovered true\nrecovered true\n", output, env)
	}
}

func TestSIGPIPEStaysTheProgramsOwn(t *testing.T) {
	output, err := inProcess(t, "sigpipe elsewhere")
	require.NoError(t, err, output)
	assert.Equal(t, "ignored in children false\nnotified of broken pipe\nEPIPE\nEPIPE\n", output)
}

func TestCancellationIsRaisedAgain(t *testing.T) {
	rt := python(t)
	for name, code := range map[string]string{
		"bare except": "try:\n  while True: len('')\nexcept: pass\nwhile True: len('')",
		"suppress":    "import contextlib\nwhile True:\n  with contextlib.suppress(BaseException):\n    while True: pass",
		"finalizer":   "class Loop:\n  def __del__(self):\n    while True: pass\nwhile True: Loop()",
		"finally":     "def f():\n  try:\n    while True: pass\n  finally:\n    f()\nf()",
		"handlers": "while True:\n  try:\n    try:\n      while True: len('')\n    except BaseException:\n      while True: len('')\n" +
			"  except BaseException:\n    len('')\n",
		// In 3.12, no instruction of these loops that an exception can come at is outside of the
		// try.
		"call in try":     "def f(): return sum(range(100))\nwhile True:\n  try: f()\n  except BaseException: pass",
		"collect in try":  "import gc\nwhile True:\n  try: gc.collect()\n  except BaseException: pass",
		"select in try":   "import select\nwhile True:\n  try: select.select([], [], [], 0.01)\n  except BaseException: pass",
		"continue in try": "import time\nwhile True:\n  try: time.sleep(0.01)\n  except BaseException: continue",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, rt.Do(ctx, func(py *Py) error { return py.Exec(code) }), context.DeadlineExceeded)
		})
	}
}

// TestCancellationSparesImports ends contexts at many moments of an import that cannot be done
// twice.
func TestCancellationSparesImports(t *testing.T) {
	rt := python(t)
	dir := t.TempDir()
	for i := range 20 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("fragile%d.py", i)), fmt.Appendf(nil, `
import sys, time
assert not hasattr(sys, "fragile%d"), "imported twice"
sys.fragile%d = True
end = time.monotonic() + 0.05
while time.monotonic() < end: pass
done = True
`, i, i), 0o644))
	}
	do(t, func(py *Py) error { return py.Exec(fmt.Sprintf("import sys; sys.path.append(%q)", dir)) })
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*4*time.Millisecond)
		_ = rt.Do(ctx, func(py *Py) error {
			_, err := py.Import(fmt.Sprintf("fragile%d", i))
			return err
		})
		cancel()
		do(t, func(py *Py) error { return py.Exec(fmt.Sprintf("import fragile%d; assert fragile%d.done", i, i)) })
	}
}

func TestForkedChildCannotCallGo(t *testing.T) {
	output, err := inProcess(t, "fork")
	require.NoError(t, err, output)
	assert.Contains(t, output, "child: a Go function cannot be called in a forked process")
	assert.Contains(t, output, "a stream that was kept\n")
	assert.NotContains(t, output, "Logging error")
	assert.Contains(t, output, "the child ended with 7")
}

// TestForkedChildThatReturnsEnds forks in code that then returns to Go, or raises.
func TestForkedChildThatReturnsEnds(t *testing.T) {
	output, err := inProcess(t, "forked children that return")
	require.NoError(t, err, output)
	for _, want := range []string{
		"pass: 1\n", "raise SystemExit: 0\n", "sys.exit(3): 3\n", "sys.exit('bye'): 1\n", "1/0: 1\n",
		"raise KeyboardInterrupt: 1\n", "call(): 1\n", "sys.excepthook = lambda *_: call(); 1/0: 1\n", "1+'a': 1\n",
		"a forked process cannot return to Go, so it ends", "\nbye\n", "ZeroDivisionError", "children.py\", line 6",
		"a Go function cannot be called in a forked process", "TypeError",
	} {
		assert.Contains(t, output, want)
	}
}

// TestSignalsEndForkedChildren sends signals to forked processes. Go's handlers would do nothing
// there; what Python handles and what is ignored stays so.
func TestSignalsEndForkedChildren(t *testing.T) {
	output, err := inProcess(t, "signals in forked children")
	require.NoError(t, err, output)
	assert.Contains(t, output, "ended by {'SIGTERM': -15, 'SIGHUP': -1, 'SIGINT': -2, 'SIGUSR1': -10, 'SIGUSR2': 4, "+
		"'SIGSEGV': -11, 'SIGPIPE': 4, 'SIGALRM': 5}")
}

// TestRedirectToAReaderThatNeedsPython writes to a pipe whose other end calls Python for each line.
func TestRedirectToAReaderThatNeedsPython(t *testing.T) {
	rt := python(t)
	reader, writer := io.Pipe()
	lines := make(chan string, 10)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			_ = rt.Do(context.Background(), func(py *Py) error {
				o, err := py.From(scanner.Text())
				if err != nil {
					return err
				}
				upper, err := o.CallMethod(py, "upper")
				if err != nil {
					return err
				}
				line, err := upper.Str(py)
				lines <- line
				return err
			})
		}
	}()
	do(t, func(py *Py) error {
		if err := py.RedirectStdout(writer); err != nil {
			return err
		}
		return py.Exec("import sys\nprint('one'); print('two')\nsys.stdout = sys.__stdout__")
	})
	require.NoError(t, writer.Close())
	assert.Equal(t, "ONE", <-lines)
	assert.Equal(t, "TWO", <-lines)
}

// TestWaitingForTheGILObeysContext has C code hold the GIL, as PyDLL does.
func TestWaitingForTheGILObeysContext(t *testing.T) {
	rt := python(t)
	thread := rt.NewThread()
	defer thread.Close()
	holding, held := make(chan struct{}), make(chan error)
	go func() {
		held <- thread.Do(context.Background(), func(py *Py) error {
			close(holding)
			return py.Exec("import ctypes; ctypes.PyDLL(None).usleep(2_000_000)")
		})
	}()
	<-holding
	time.Sleep(100 * time.Millisecond) // until C sleeps
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := rt.Do(ctx, func(*Py) error { return errors.New("must not run") })
	select {
	case err := <-held:
		t.Error("Do returned after the GIL was free", err)
	default:
	}
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, <-held)
}

func TestOutputOfCSurvivesExit(t *testing.T) {
	output, err := inProcess(t, "C stdout")
	assert.ErrorContains(t, err, "exit status 3")
	assert.Equal(t, "from C", output)
}

func TestCallInAnotherProcessOfPython(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command to build a library with")
	}
	found := python(t).Python()
	dir := t.TempDir()
	library := filepath.Join(dir, "library.so")
	output, err := exec.Command("go", "build", "-buildmode=c-shared", "-o", library, "./testdata/library").CombinedOutput()
	require.NoError(t, err, "%s", output)
	output, err = exec.Command(found.Executable, "-c", `
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.Start.restype = ctypes.c_char_p
print(library.Start().decode())
`, library).CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), "the process runs a Python already, which pyembed did not start")
}
