package pyembed

import "io"

// RedirectStdout makes everything that Python prints go to w, which is written to by whichever thread prints,
// one write at a time. Text is UTF-8. An error of w's is raised in Python. Child processes and C code still
// write to the process's own stdout.
func (py *Py) RedirectStdout(w io.Writer) error { return py.redirect("stdout", w) }

// RedirectStderr is like [Py.RedirectStdout] for sys.stderr, where Python's warnings and, unless configured
// otherwise, its logging go.
func (py *Py) RedirectStderr(w io.Writer) error { return py.redirect("stderr", w) }

func (py *Py) redirect(name string, w io.Writer) error {
	// The GIL, which the caller holds, keeps writes from overlapping.
	write, err := py.Func(func(py *Py, args []*Object, _ map[string]*Object) (any, error) {
		text, err := As[[]byte](py, args[0])
		if err != nil {
			return nil, err
		}
		return w.Write(text)
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
