package vllmgo

import (
	"context"
	"fmt"
	"time"
)

// BeamSearchParams are the parameters of [LLM.BeamSearch], under vLLM's names. A zero field means
// vLLM's default.
type BeamSearchParams struct {
	// BeamWidth is the number of candidates that are kept, and returned. Required.
	BeamWidth int `json:"beam_width"`
	// MaxTokens is the most tokens to generate. Required.
	MaxTokens int `json:"max_tokens"`
	// IgnoreEOS goes on after the end-of-sequence token.
	IgnoreEOS bool `json:"ignore_eos,omitzero"`
	// Temperature scales the probabilities.
	Temperature float64 `json:"temperature,omitzero"`
	// LengthPenalty is the power of the length by which scores are divided; nil means 1.
	LengthPenalty *float64 `json:"length_penalty,omitzero"`
	// IncludeStopStrInOutput leaves the end-of-sequence token in the completion.
	IncludeStopStrInOutput bool `json:"include_stop_str_in_output,omitzero"`
	// StructuredOutputs forces the completions into a form; nil means none.
	StructuredOutputs *StructuredOutputs `json:"structured_outputs,omitzero"`
	// SkipSpecialTokens leaves special tokens out of the text; nil means true.
	SkipSpecialTokens *bool `json:"skip_special_tokens,omitzero"`
	// Extra holds every other parameter of vLLM's BeamSearchParams by its Python name, as
	// [EngineArgs].Extra does.
	Extra map[string]any `json:"-"`
}

// MarshalJSON returns the object that vLLM's BeamSearchParams is made from: what is set, and Extra.
func (p BeamSearchParams) MarshalJSON() ([]byte, error) {
	type typed BeamSearchParams
	p.StructuredOutputs = p.StructuredOutputs.normal()
	return marshalWith(typed(p), p.Extra, "BeamSearchParams")
}

// BeamSearch returns each prompt's likeliest completions, best first: vLLM's LLM.beam_search. It is
// alone on its engine: other calls wait for it. Texts begin with the prompt's text; token IDs are
// those of the completion alone.
func (l *LLM) BeamSearch(ctx context.Context, prompts []Prompt, params BeamSearchParams) (*Generation, error) {
	in := input{prompts: prompts}
	if err := in.checkPrompts(l.info.MaxModelLen-1, l.info.VocabSize); err != nil {
		return nil, fmt.Errorf("vllmgo: %w", err)
	}
	if params.BeamWidth < 1 || params.MaxTokens < 1 {
		return nil, fmt.Errorf("vllmgo: BeamSearchParams: BeamWidth is %d and MaxTokens is %d: both must be at least 1",
			params.BeamWidth, params.MaxTokens)
	}
	params.StructuredOutputs = params.StructuredOutputs.normal()
	encoded, err := encodeJSON(params)
	if err != nil {
		return nil, fmt.Errorf("vllmgo: BeamSearchParams: %w", err)
	}
	in.params = []string{encoded}
	started := time.Now()
	g := &Generation{Outputs: make([]RequestOutput, len(prompts))}
	err = l.split(ctx, len(prompts), func(ctx context.Context, at *replica, from, to int) error {
		outputs, elapsed, err := l.beamSearch(ctx, at, in.part(from, to))
		copy(g.Outputs[from:], outputs)
		if to-from == len(prompts) {
			g.Elapsed = elapsed
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if g.Elapsed == 0 { // several replicas
		g.Elapsed = time.Since(started)
	}
	return g, nil
}

// beamSearch searches on one replica.
func (l *LLM) beamSearch(ctx context.Context, at *replica, in input) ([]RequestOutput, time.Duration, error) {
	type beams struct {
		ElapsedNs int64
		Beams     []struct {
			PromptIDs []byte
			Beams     []struct {
				Text              string
				TokenIDs          []byte
				CumulativeLogprob float64
				FinishReason      string
			}
		}
	}
	var found beams
	if err := l.do(newTask(ctx, at, &found, "beam_search", pack(in.prompts, in.params, in.options))); err != nil {
		return nil, 0, err
	}
	outputs := make([]RequestOutput, len(found.Beams))
	for i, prompt := range found.Beams {
		output := &outputs[i]
		output.PromptTokenIDs, output.NumCachedTokens = valuesOf[int32](prompt.PromptIDs), -1
		for j, beam := range prompt.Beams {
			output.Outputs = append(output.Outputs, CompletionOutput{
				Index: j, Text: beam.Text, TokenIDs: valuesOf[int32](beam.TokenIDs),
				CumulativeLogprob: beam.CumulativeLogprob, FinishReason: beam.FinishReason,
			})
		}
	}
	return outputs, time.Duration(found.ElapsedNs), nil
}
