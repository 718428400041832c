package vllmgo

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// SeqOutput is the result for one prompt of a sequence.
type SeqOutput struct {
	// Index is the prompt's place in the sequence, from 0.
	Index int
	RequestOutput
}

// GenerateSeq completes the prompts of a sequence and yields each output when it is ready. Outputs
// do not come in the order of the prompts; SeqOutput.Index is the place of an
// output's prompt. The sequence may be longer than memory holds: at most twice max(max_num_seqs,
// 64) prompts are in work for each engine, and the loop body runs before further ones are taken.
//
//	for output, err := range llm.GenerateSeq(ctx, prompts, vllmgo.Greedy(64)) {
//		if err != nil {
//			log.Printf("prompt %d: %v", output.Index, err)
//			continue
//		}
//		fmt.Println(output.Index, output.Outputs[0].Text)
//	}
//
// A prompt with its own Params uses those; the other prompts use params.
//
// An error belongs to the prompt of its index, and the other prompts go on. Only when ctx ends, the
// LLM is closed or the engine dies is the error the last element. Leaving the loop removes the
// unfinished prompts from the engine. GenerateSeq takes prompts in the loop's goroutine: while the
// sequence makes it wait for a prompt, it yields nothing and does not notice the end of ctx.
//
// The engine gets the prompts in their order, each as a call of [LLM.Generate] would give it.
func (l *LLM) GenerateSeq(ctx context.Context, prompts iter.Seq[Prompt], params SamplingParams,
	options ...CallOption) iter.Seq2[SeqOutput, error] {
	return func(yield func(SeqOutput, error) bool) {
		s := &seqRun{llm: l, params: params, results: make(chan seqResult, l.maxInEngines)}
		if fn := optionsOf(options).onProgress; fn != nil {
			s.report = newReporter(fn)
			defer s.report.close()
		}
		next, stop := iter.Pull(prompts)
		defer stop()
		defer s.batches.Wait()
		batchCtx, cancel := context.WithCancel(ctx)
		defer cancel()
		for more := true; ; {
			for more && s.running < l.maxInEngines && len(s.results) == 0 {
				if more = s.begin(batchCtx, next); !more && s.report != nil {
					s.report.expectNoMore()
				}
			}
			if s.running == 0 {
				return
			}
			r := <-s.results
			s.running--
			last := r.err != nil && (ctx.Err() != nil || errors.Is(r.err, ErrClosed) || errors.Is(r.err, ErrEngineDead))
			if !yield(r.SeqOutput, r.err) || last {
				return
			}
		}
	}
}

// seqRun is one range over the outputs of a sequence. Each prompt is a batch.
type seqRun struct {
	llm     *LLM
	params  SamplingParams
	report  *reporter // nil without OnProgress
	results chan seqResult
	batches sync.WaitGroup
	// running is the number of prompts whose result was not taken from results.
	running, nextIndex int
}

type seqResult struct {
	SeqOutput
	err error
}

// begin takes a prompt and starts its batch. It returns false when there are no more prompts.
func (s *seqRun) begin(ctx context.Context, next func() (Prompt, bool)) bool {
	prompt, more := next()
	if !more {
		return false
	}
	r := seqResult{SeqOutput: SeqOutput{Index: s.nextIndex}}
	s.running, s.nextIndex = s.running+1, s.nextIndex+1
	prompts := []Prompt{prompt}
	b, err := s.llm.newBatch(ctx, prompts, r.Index, s.params)
	if s.report != nil {
		s.report.expect(prompts, s.params)
	}
	if err == nil {
		b.report = s.report
		err = s.llm.start(b) // here, so that the engine gets the prompts in their order
	}
	s.batches.Go(func() {
		if err == nil {
			err = s.llm.wait(b)
		}
		if r.err = err; err == nil {
			r.RequestOutput = b.generation.Outputs[0]
		}
		switch {
		case s.report == nil:
		case b == nil:
			s.report.failed()
		default:
			b.reportEnd(err)
		}
		s.results <- r
	})
	return true
}
