package vllmgo

import (
	"context"
	"errors"
	"slices"
	"time"

	"vllmgo/pyembed"
)

// runTask runs a task, which is alone on the engine.
func (s *scheduler) runTask(t *task) {
	err := s.thread.Do(context.Background(), t.run)
	s.endAlone()
	if errors.Is(err, pyembed.Class("vllmgo_bridge.Cancelled")) {
		t.finish(stoppedError(t.stopped))
	} else {
		t.finish(explain(err))
	}
}

// runBatch runs a batch that is alone on the engine: one call of LLM.generate. When another call
// comes meanwhile, the batch goes on in the step loop.
func (s *scheduler) runBatch(b *batch) {
	handedOver, failed := false, -1
	err := s.thread.Do(context.Background(), func(py *pyembed.Py) (err error) {
		defer s.tidy(py)
		if b.generation, err = s.generate(py, b); err != nil {
			failed = s.intAttr(py, "failed", -1)
			return err
		}
		s.endAlone()
		if b.generation == nil {
			handedOver, b.next = true, s.intAttr(py, "handed_over", len(b.prompts))
			return nil
		}
		err = nil
		if i := slices.IndexFunc(b.generation.Outputs, failedInEngine); i >= 0 {
			err = explainPrompt(errFailedInEngine, &b.input, i)
		}
		b.finish(err) // before tidy: the caller need not wait for it
		return nil
	})
	switch {
	case handedOver:
		s.loop(b)
	case errors.Is(err, pyembed.Class("vllmgo_bridge.Cancelled")):
		s.endAlone()
		b.finish(stoppedError(b.stopped))
	case err != nil:
		s.endAlone()
		b.finish(explainPrompt(err, &b.input, failed))
	}
}

// intAttr returns an attribute of the engine that is an integer, or otherwise if there is none.
func (s *scheduler) intAttr(py *pyembed.Py, name string, otherwise int) int {
	attribute, err := s.engine.Attr(py, name)
	if err != nil {
		return otherwise
	}
	defer attribute.Release(py)
	value, err := pyembed.As[int](py, attribute)
	if err != nil {
		return otherwise
	}
	return value
}

// generate calls LLM.generate. It returns nil when the requests are to go on in the step loop.
func (s *scheduler) generate(py *pyembed.Py, b *batch) (*Generation, error) {
	packed := pack(b.prompts, b.params, b.options)
	var report any
	if b.report != nil {
		var err error
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
	// After an error, the next generation frees what is left.
	if o, err := s.engine.CallMethod(py, "tidy"); err == nil {
		o.Release(py)
	}
}
