// Package ask turns requests into prompts and sampling parameters.
package ask

import (
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Terms are what is asked of an engine for requests, besides their lengths.
type Terms struct {
	// Detokenize asks for texts, too.
	Detokenize bool
	// Set is the point's own, which Study.Validate has approved.
	Set workload.Set
}

// Params returns parameters that ask for exactly so many tokens, with greedy decoding unless the
// set says otherwise.
func (t Terms) Params(outputLen int) vllmgo.SamplingParams {
	params := vllmgo.Greedy(outputLen)
	params.IgnoreEOS, params.MinTokens = true, outputLen
	if !t.Detokenize {
		params.Detokenize = new(false)
	}
	params, _ = t.Set.SamplingParams(params)
	return params
}

// Prompts returns what is sent for requests. The parameters are those of the first request. Prompts
// whose length differs have their own.
func (t Terms) Prompts(requests []workload.Request) ([]vllmgo.Prompt, vllmgo.SamplingParams) {
	common := requests[0].OutputLen
	prompts := make([]vllmgo.Prompt, len(requests))
	for i, r := range requests {
		prompts[i] = r.Prompt()
		if r.OutputLen != common {
			prompts[i].Params = new(t.Params(r.OutputLen))
		}
	}
	return prompts, t.Params(common)
}
