//go:build cgo

package pyembed

import (
	"io"
	"sync"
)

// RedirectStdout makes everything that Python prints go to w. Whichever thread prints writes to w,
// one write at a time, without holding the interpreter. Text is UTF-8. An error of w's is raised in
// Python. sys.stdout stays an [io.TextIOWrapper], whose fileno is the process's. Child processes
// and C code still write to the process's own stdout.
//
// [io.TextIOWrapper]: https://docs.python.org/3/library/io.html#io.TextIOWrapper
func (py *Py) RedirectStdout(w io.Writer) error { return py.redirect("stdout", w) }

// RedirectStderr is like [Py.RedirectStdout] for sys.stderr, where Python's warnings and, unless
// configured otherwise, its logging go.
func (py *Py) RedirectStderr(w io.Writer) error { return py.redirect("stderr", w) }

func (py *Py) redirect(name string, w io.Writer) error {
	var mu sync.Mutex
	write, err := py.Func(func(py *Py, args []*Object, _ map[string]*Object) (any, error) {
		text, err := As[[]byte](py, args[0])
		if err != nil {
			return nil, err
		}
		var n int
		// Detached, since the one who reads what w gets may wait for Python.
		py.Detach(func() {
			mu.Lock()
			defer mu.Unlock()
			n, err = w.Write(text)
		})
		return n, err
	})
	if err != nil {
		return err
	}
	defer write.Release(py)
	result, err := py.thread.rt.helpers.CallMethod(py, "redirect", name, write)
	if err != nil {
		return err
	}
	result.Release(py)
	return nil
}
