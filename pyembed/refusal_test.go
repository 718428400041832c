package pyembed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What works in a python program must work embedded, too.

func init() {
	programs["start again"] = func(*Interpreter) error {
		for _, name := range strings.Split(os.Getenv("PYEMBED_TEST_NAMES"), ",") {
			config := search(name)
			if _, err := Start(config); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		fmt.Println("accepted")
		return nil
	}
	programs["shutdown"] = func(rt *Interpreter) error {
		err := rt.Do(context.Background(), func(py *Py) error {
			return py.Exec(`
import atexit, os, threading, time
atexit.register(lambda: print("atexit on the main thread:", threading.current_thread() is threading.main_thread()))
open_file = open(os.environ["PYEMBED_TEST_FILE"], "w")
open_file.write("buffered")
def slow():
    time.sleep(0.05)
    print("the thread ended")
threading.Thread(target=slow, daemon=False).start()
goes_on = threading.Event()
threading.Thread(target=goes_on.wait, daemon=False).start()
`)
		})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		fmt.Println("while a thread goes on:", rt.Shutdown(ctx))
		if err := rt.Do(context.Background(), func(py *Py) error { return py.Exec("goes_on.set()") }); err != nil {
			return err
		}
		if err := rt.Shutdown(context.Background()); err != nil {
			return err
		}
		if err := rt.Do(context.Background(), func(py *Py) error { return py.Exec("print('still running')") }); err != nil {
			return err
		}
		os.Exit(3)
		return nil
	}
}

// write writes a file and returns its folder.
func write(t *testing.T, name, content string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755))
	return dir
}

func TestOutputAtStart(t *testing.T) {
	real := python(t).Python().Executable
	wrapper := filepath.Join(write(t, "python", "#!/bin/sh\necho loading modules\necho '{}'\nexec "+real+" \"$@\"\n"), "python")
	site := "import sys; print('hello', end=''); print('oops', file=sys.stderr)\n"
	for name, env := range map[string]string{
		"sitecustomize": "PYTHONPATH=" + write(t, "sitecustomize.py", site),
		"atexit":        "PYTHONPATH=" + write(t, "sitecustomize.py", "import atexit; atexit.register(print, 'bye')\n"),
		"wrapper":       "VLLMGO_PYTHON=" + wrapper,
		"StringIO":      "PYTHONPATH=" + write(t, "sitecustomize.py", "import io, sys; sys.stdout = io.StringIO()\n"),
		"Tee": "PYTHONPATH=" + write(t, "sitecustomize.py", "import sys\nclass Tee:\n  def write(self, text): return sys.__stdout__.write(text)\n"+
			"sys.stdout = sys.stderr = Tee()\n"),
		"None": "PYTHONPATH=" + write(t, "sitecustomize.py", "import sys; sys.stdout = sys.stderr = None\n"),
	} {
		output, err := inProcess(t, "start report", env)
		assert.NoError(t, err, "%s: %s", name, output)
		assert.Contains(t, output, `{"flags"`, name)
	}
}

func TestOutputOfPthFile(t *testing.T) {
	real := findRealPython(t)
	venv := filepath.Join(t.TempDir(), "é nv")
	output, err := exec.Command(real.Executable, "-I", "-m", "venv", "--without-pip", venv).CombinedOutput()
	require.NoError(t, err, "%s", output)
	packages := filepath.Join(venv, "lib", "python"+real.Short, "site-packages")
	require.NoError(t, os.WriteFile(filepath.Join(packages, "noise.pth"), []byte("import sys; print('noise')\n"), 0o644))
	for _, locale := range []string{"LC_ALL=C", "LC_ALL=C.UTF-8", "LC_ALL=xx_YY.UTF-8"} {
		t.Run(locale, func(t *testing.T) {
			key, value, _ := strings.Cut(locale, "=")
			t.Setenv(key, value)
			found, err := Locate(t.Context(), search(venv))
			require.NoError(t, err)
			assert.FileExists(t, found.Executable)
			text, err := inProcess(t, "start report", "VLLMGO_PYTHON="+venv)
			require.NoError(t, err, text)
			assert.Equal(t, filepath.Join(venv, "bin", "python"), lastReport(t, text)["executable"])
		})
	}
}

func TestSecondStartWithTheSameNames(t *testing.T) {
	found := python(t).Python()
	dir := filepath.Dir(found.Executable)
	wrapper := filepath.Join(write(t, "shim", "#!/bin/sh\nexec "+found.Executable+" \"$@\"\n"), "shim")
	here, err := os.Getwd()
	require.NoError(t, err)
	relative, err := filepath.Rel(here, found.Executable)
	require.NoError(t, err)
	output, err := inProcess(t, "start again", "PATH="+dir+":"+os.Getenv("PATH"),
		"PYEMBED_TEST_NAMES="+strings.Join([]string{found.Executable, relative, filepath.Base(found.Executable), wrapper, ""}, ","))
	require.NoError(t, err, output)
	assert.Contains(t, output, "accepted")
}

func TestPythonThatHangs(t *testing.T) {
	hangs := filepath.Join(write(t, "python", "#!/bin/sh\nsleep 300 &\nwait\n"), "python")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := Locate(ctx, search(hangs))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, hangs+" (from the Python option): it did not answer")
	assert.Less(t, time.Since(begin), 20*time.Second, "not the sleep")
}

func TestRedirectedOutputIsATextStream(t *testing.T) {
	do(t, func(py *Py) error {
		var stdout bytes.Buffer
		require.NoError(t, py.RedirectStdout(&stdout))
		err := py.Exec(`
import io, sys
assert isinstance(sys.stdout, io.TextIOWrapper)
sys.stdout.buffer.write(b"bytes\n")
assert sys.stdout.fileno() == 1 and not sys.stdout.isatty()
assert sys.stdout.name and sys.stdout.mode and sys.stdout.encoding == "utf-8"
sys.stdout.reconfigure(line_buffering=True)
print("text \udc80 \u20ac")
old = sys.stdout
sys.stdout = sys.__stdout__
old.close()
assert old.closed
`)
		assert.Equal(t, "bytes\ntext \\udc80 €\n", stdout.String())
		require.NoError(t, err)
		require.NoError(t, py.RedirectStdout(failingWriter{}))
		err = py.Exec("try: print('x')\nfinally: sys.stdout = sys.__stdout__")
		assert.ErrorIs(t, err, errFull, "an error of the writer's")
		return nil
	})
}

var errFull = errors.New("the writer is full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

func TestShutdown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	output, err := inProcess(t, "shutdown", "PYEMBED_TEST_FILE="+file)
	assert.ErrorContains(t, err, "exit status 3", output)
	assert.Regexp(t, "^the thread ended\nwhile a thread goes on: .*context deadline exceeded.*\n"+
		"atexit on the main thread: True\nstill running\n$", output)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "buffered", string(content))
}

func TestLockThread(t *testing.T) {
	rt := python(t)
	thread := rt.LockThread()
	closed := false
	defer func() {
		if !closed {
			thread.Close()
		}
	}()
	require.NoError(t, thread.Do(t.Context(), func(py *Py) error {
		require.NoError(t, py.Exec("import threading; own = threading.local(); own.x = 1"))
		return rt.Do(t.Context(), func(py *Py) error { return py.Exec("own.x += 1") }) // nested
	}))
	require.NoError(t, rt.Do(t.Context(), func(py *Py) error { return py.Exec("assert own.x == 2") }), "the goroutine's thread")
	assert.PanicsWithValue(t, "boom", func() { _ = thread.Do(t.Context(), func(*Py) error { panic("boom") }) }, "the panic itself")
	assert.Panics(t, func() { rt.LockThread() }, "twice")
	assert.Panics(t, func() { _ = thread.Do(t.Context(), func(*Py) error { thread.Close(); return nil }) }, "inside Do")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, thread.Do(ctx, func(py *Py) error { return py.Exec("while True: pass") }), context.DeadlineExceeded)
	elsewhere := make(chan error)
	go func() { elsewhere <- thread.Do(context.Background(), func(*Py) error { return nil }) }()
	assert.ErrorIs(t, <-elsewhere, ErrOtherGoroutine)
	require.NoError(t, rt.Main().Do(t.Context(), func(py *Py) error { return py.Exec("pass") }), "another thread")
	thread.Close()
	closed = true
	thread.Close()
	assert.ErrorIs(t, thread.Do(t.Context(), func(*Py) error { return nil }), ErrThreadClosed)
	do(t, func(py *Py) error { return py.Exec("pass") })
}
