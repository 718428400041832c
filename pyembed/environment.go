//go:build cgo

package pyembed

import (
	"context"
	"os"
)

// Setenv sets an environment variable for the process (os.Setenv, getenv) and for Python
// (os.environ), and so for child processes that either starts. os.Setenv alone does not reach
// os.environ once Python runs.
func (py *Py) Setenv(key, value string) error {
	py.check()
	if err := os.Setenv(key, value); err != nil {
		return err
	}
	return py.environ(func(environ *Object) error { return environ.SetItem(py, key, value) })
}

// Unsetenv removes an environment variable from where Setenv sets it.
func (py *Py) Unsetenv(key string) error {
	py.check()
	if err := os.Unsetenv(key); err != nil {
		return err
	}
	return py.environ(func(environ *Object) error {
		result, err := environ.CallMethod(py, "pop", key, nil)
		if err != nil {
			return err
		}
		result.Release(py)
		return nil
	})
}

func (py *Py) environ(use func(environ *Object) error) error {
	pyos, err := py.Import("os")
	if err != nil {
		return err
	}
	defer pyos.Release(py)
	environ, err := pyos.Attr(py, "environ")
	if err != nil {
		return err
	}
	defer environ.Release(py)
	return use(environ)
}

// Shutdown does what a Python program does before it ends: on Python's main thread it waits for the
// threads that are not daemons, runs the functions registered with atexit, and closes the files
// that are open for writing. Call it before the program ends, when that matters. Nothing else does
// it.
//
// Threads that Python code starts in a Do, other than one on Python's main thread, are daemons
// unless their code says daemon=False: as on all threads that Python did not start. Python goes on
// running, so Do works afterwards. Thread pools of Python's take no more work.
//
// When ctx ends while it waits for a thread, it returns an error that wraps ctx's, and the rest is
// not done.
func (rt *Interpreter) Shutdown(ctx context.Context) error {
	return rt.main.Do(ctx, func(py *Py) error { return py.help("shutdown") })
}
