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
// ends: not in the order of the prompts, but with their indices. It is for more prompts than are to be held in memory: at most
// twice max(max_num_seqs, 64) are under way, and a further one is taken only when the loop has been given an output.
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
// an engine that died, it is the last. Leaving the loop removes what is under way from the engine. Prompts are taken in the
// loop's goroutine: while the sequence makes it wait for one, it yields nothing and does not notice the end of ctx.
//
// The engine gets the prompts in their order, each as a call of [LLM.Generate] would; see the package's documentation for how
// calls share it. [WithProgress] has no effect.
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
		// begin takes a prompt, if there is one more.
		begin := func() bool {
			prompt, params, more := next()
			if !more {
				return false
			}
			r := result{SeqOutput: SeqOutput{Index: index}}
			running, index = running+1, index+1
			c, err := l.newCall(callCtx, []Prompt{prompt}, []SamplingParams{params})
			if err == nil {
				err = l.start(c) // here, so that the engine gets them in their order
			}
			calls.Go(func() {
				if err == nil {
					err = l.wait(c)
				}
				if r.err = err; err == nil {
					r.RequestOutput = c.generation.Outputs[0]
				}
				results <- r
			})
			return true
		}
		for more := true; more || running > 0; {
			var r result
			select {
			case r = <-results:
			default:
				if more && running < l.maxInEngine {
					more = begin()
					continue
				}
				r = <-results
			}
			running--
			last := r.err != nil && (ctx.Err() != nil || errors.Is(r.err, ErrClosed) || errors.Is(r.err, ErrEngineDead))
			if !yield(r.SeqOutput, r.err) || last {
				return
			}
		}
	}
}
