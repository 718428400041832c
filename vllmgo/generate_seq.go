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

// GenerateSeq completes the prompts of a sequence, each with its sampling parameters, and yields each output when it
// ends: not in the order of the prompts, but with their indices. It is for more prompts than are to be held in memory. It
// takes no more of them than twice as many as the engine runs at once (max_num_seqs, at least 64), and the next one only
// when an output has been taken out of the loop.
//
//	for output, err := range llm.GenerateSeq(ctx, prompts) {
//		if err != nil {
//			log.Printf("prompt %d: %v", output.Index, err)
//			continue
//		}
//		fmt.Println(output.Index, output.Outputs[0].Text)
//	}
//
// An error belongs to the prompt whose index comes with it, and the others go on; but after the end of ctx, [LLM.Close] or
// an engine that died, it is the last. Leaving the loop removes what is under way from the engine. While the loop waits for
// the sequence to give a prompt, it yields nothing.
//
// It is many calls of [LLM.Generate]; see the package's documentation for how they share the engine.
func (l *LLM) GenerateSeq(ctx context.Context, prompts iter.Seq2[Prompt, SamplingParams]) iter.Seq2[SeqOutput, error] {
	return func(yield func(SeqOutput, error) bool) {
		type result struct {
			SeqOutput
			err error
		}
		next, stop := iter.Pull2(prompts)
		defer stop()
		var calls sync.WaitGroup
		defer calls.Wait()
		callCtx, cancel := context.WithCancel(ctx)
		defer cancel()
		results := make(chan result, l.maxInEngine)
		running, index := 0, 0
		for more := true; ; {
			for more && running < l.maxInEngine {
				var prompt Prompt
				var params SamplingParams
				if prompt, params, more = next(); !more {
					break
				}
				r := result{SeqOutput: SeqOutput{Index: index}}
				calls.Go(func() {
					var g *Generation
					if g, r.err = l.Generate(callCtx, []Prompt{prompt}, params); r.err == nil {
						r.RequestOutput = g.Outputs[0]
					}
					results <- r
				})
				running, index = running+1, index+1
			}
			if running == 0 {
				return
			}
			r := <-results
			running--
			last := r.err != nil && (ctx.Err() != nil || errors.Is(r.err, ErrClosed) || errors.Is(r.err, ErrEngineDead))
			if !yield(r.SeqOutput, r.err) || last {
				return
			}
		}
	}
}
