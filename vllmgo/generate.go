package vllmgo

import "context"

// Generate completes prompts. params are the sampling parameters: none (the model's defaults), one for all
// prompts, or one for each.
//
// Alone on the engine, it is one call of vLLM's LLM.generate. Calls from several goroutines share the engine:
// their requests are merged into one continuous batch; see [Generation].Shared.
//
// Prompts that the model cannot take are errors, and none of the prompts runs. When ctx ends, the engine drops the
// requests after the step that it is in, and Generate returns an error that wraps ctx's; the LLM can be used
// as before. [WithProgress] makes it report how far it is.
func (l *LLM) Generate(ctx context.Context, prompts []Prompt, params ...SamplingParams) (*Generation, error) {
	c, err := l.newCall(ctx, prompts, params)
	if err != nil {
		return nil, err
	}
	c.report = newReporter(ctx, prompts, params)
	if err = l.do(c); err != nil {
		c.generation = nil
	}
	if c.report != nil {
		c.report.end(c.generation)
	}
	return c.generation, err
}

// newCall checks prompts and sampling parameters.
func (l *LLM) newCall(ctx context.Context, prompts []Prompt, params []SamplingParams) (*call, error) {
	if err := checkInput(prompts, params, l.info.MaxModelLen); err != nil {
		return nil, err
	}
	encoded, err := encodeParams(params)
	return &call{ctx: ctx, prompts: prompts, params: encoded}, err
}
