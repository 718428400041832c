package vllmgo

import (
	"context"
	"errors"
	"time"

	"vllmgo/pyembed"
)

// runTask runs a task, which is alone on the engine.
func (s *scheduler) runTask(t *task) {
	err := s.thread.Do(context.Background(), t.run)
	s.endAlone()
	t.finish(aloneError(err, t))
}

// runBatch runs a batch that is alone on the engine: one call of LLM.generate. When another call comes meanwhile, the
// batch goes on in the step loop.
func (s *scheduler) runBatch(b *batch) {
	handedOver := false
	err := s.thread.Do(context.Background(), func(py *pyembed.Py) (err error) {
		defer s.tidy(py)
		if b.generation, err = s.generate(py, b); err != nil {
			return err
		}
		s.endAlone()
		if b.generation == nil {
			handedOver = true
		} else {
			b.finish(nil) // before tidy: the caller need not wait for it
		}
		return nil
	})
	switch {
	case handedOver:
		s.loop(b)
	case err != nil:
		s.endAlone()
		b.finish(aloneError(err, b))
	}
}

// aloneError turns the error of a call that was alone into the caller's.
func aloneError(err error, c call) error {
	if errors.Is(err, pyembed.Class("vllmgo_bridge.Cancelled")) {
		return stoppedError(c.base().stopped)
	}
	return explain(err)
}

// generate calls LLM.generate. It returns nil when the requests are to go on in the step loop.
func (s *scheduler) generate(py *pyembed.Py, b *batch) (*Generation, error) {
	packed, err := pack(b.prompts, b.params)
	if err != nil {
		return nil, err
	}
	var report any
	if b.report != nil {
		if report, err = reportFunc(py, b); err != nil {
			return nil, err
		}
	}
	var output *packedOutput
	if err := callInto(py, &output, s.engine, "generate", b.id, packed, report); err != nil || output == nil {
		return nil, err
	}
	return &Generation{Outputs: output.unpack(packed), Elapsed: time.Duration(output.ElapsedNs)}, nil
}

// reportFunc makes the Python function that engine.py reports a batch's progress to.
func reportFunc(py *pyembed.Py, b *batch) (*pyembed.Object, error) {
	return py.Func(func(py *pyembed.Py, args []*pyembed.Object, _ map[string]*pyembed.Object) (any, error) {
		finished, err := pyembed.As[int](py, args[0])
		if err != nil {
			return nil, err
		}
		tokens, err := pyembed.As[int](py, args[1])
		b.report.set(b, finished, tokens)
		return nil, err
	})
}

// tidy frees what a generation leaves in Python.
func (s *scheduler) tidy(py *pyembed.Py) {
	if o, err := s.engine.CallMethod(py, "tidy"); err == nil { // otherwise the next generation frees it
		o.Release(py)
	}
}
