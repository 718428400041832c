package vllmgo

import (
	"errors"
	"slices"
	"time"

	"vllmgo/pyembed"
)

// runTask runs a task, which is alone on the engine.
func (s *scheduler) runTask(t *task) {
	t.begun = true
	err := s.engine.hold(t.run)
	s.noteDeath(err)
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
	b.begun = true
	err := s.engine.hold(func(c caller) (err error) {
		if b.generation, err = generate(c, b); errors.Is(err, ErrEngineDead) {
			return err
		}
		defer tidy(c)
		if err != nil {
			failed = attribute(c, "failed", -1)
			return err
		}
		s.endAlone()
		if b.generation == nil {
			handedOver, b.next = true, attribute(c, "handed_over", len(b.prompts))
			return nil
		}
		err = nil
		if i := slices.IndexFunc(b.generation.Outputs, failedInEngine); i >= 0 {
			err = explainPrompt(errFailedInEngine, &b.input, i)
		}
		b.finish(err) // before tidy: the caller need not wait for it
		return nil
	})
	s.noteDeath(err)
	switch {
	case handedOver:
		s.loop(b, nil)
	case errors.Is(err, pyembed.Class("vllmgo_bridge.Cancelled")):
		s.endAlone()
		b.finish(stoppedError(b.stopped))
	case err != nil:
		s.endAlone()
		b.finish(explainPrompt(err, &b.input, failed))
	}
}

// attribute returns an attribute of the engine that is an integer, or otherwise if it cannot be
// had.
func attribute(c caller, name string, otherwise int) int {
	var value int
	if err := c.call(&value, "attribute", name); err != nil {
		return otherwise
	}
	return value
}

// generate calls LLM.generate. It returns nil when the requests are to go on in the step loop.
func generate(c caller, b *batch) (*Generation, error) {
	packed := pack(b.prompts, b.params, b.options)
	var report reportFunc
	if b.report != nil {
		report = func(finished, tokens int) { b.report.set(b, finished, tokens) }
	}
	var output *packedOutput
	if err := c.call(&output, "generate", b.id, packed, report); err != nil || output == nil {
		return nil, err
	}
	return &Generation{Outputs: output.unpack(packed), Elapsed: time.Duration(output.ElapsedNs)}, nil
}

// tidy frees what a generation leaves in Python. After an error, the next generation does.
func tidy(c caller) { _ = c.call(nil, "tidy") }
