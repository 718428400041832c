package vllmgo

import "context"

// A CallOption changes how one call runs.
type CallOption func(*callOptions)

type callOptions struct {
	onProgress func(Progress)
}

func optionsOf(options []CallOption) callOptions {
	var all callOptions
	for _, option := range options {
		option(&all)
	}
	return all
}

// Generate completes prompts. A prompt with its own Params uses those; the other prompts use
// params. The zero SamplingParams are vLLM's defaults; [Greedy] and [LLM.DefaultSamplingParams]
// return other common choices.
//
//	g, err := llm.Generate(ctx, vllmgo.Texts("The capital of France is"), vllmgo.Greedy(8))
//
// A call that is the only one on the engine is one call of vLLM's LLM.generate. Calls from several
// goroutines share the engine, which works on all their prompts at once; see [Generation].Shared.
//
// If the model cannot take one of the prompts, Generate returns an error and completes none. When
// ctx ends, the engine drops the requests after its current step, and Generate returns an error
// that wraps the context's.
func (l *LLM) Generate(
	ctx context.Context,
	prompts []Prompt,
	params SamplingParams,
	options ...CallOption,
) (*Generation, error) {
	b, err := l.newBatch(ctx, prompts, 0, params)
	if err != nil {
		return nil, err
	}
	if fn := optionsOf(options).onProgress; fn != nil {
		b.report = newReporter(fn)
		b.report.expect(prompts, params)
		b.report.expectNoMore()
		defer b.report.close()
	}
	if err := l.replicas.generate(b); err != nil {
		return nil, err
	}
	return b.generation, nil
}
