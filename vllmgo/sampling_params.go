package vllmgo

// SamplingParams say how the tokens of a completion are chosen and when it ends, under the names that
// vLLM gives them (https://docs.vllm.ai/en/latest/api/vllm/sampling_params/).
//
// A zero value means vLLM's default. Where zero or false is itself meaningful, the field is a pointer and
// nil means the default: greedy decoding is SamplingParams{Temperature: new(0.0)}.
type SamplingParams struct {
	// N is the number of completions for each prompt; 0 means 1.
	N int `json:"n,omitzero"`
	// Temperature scales randomness: 0 is greedy, nil means 1.
	Temperature *float64 `json:"temperature,omitzero"`
	// TopP keeps the most likely tokens whose probabilities add up to it, in (0, 1]; 0 means 1.
	TopP float64 `json:"top_p,omitzero"`
	// TopK keeps the K most likely tokens; 0 keeps all.
	TopK int `json:"top_k,omitzero"`
	// MinP drops tokens less likely than MinP times the likeliest, in [0, 1].
	MinP float64 `json:"min_p,omitzero"`
	// Seed seeds this request's sampling; nil means none.
	Seed *int `json:"seed,omitzero"`

	// MaxTokens is the most tokens to generate; 0 means vLLM's default (16).
	MaxTokens int `json:"max_tokens,omitzero"`
	// MinTokens is the fewest tokens to generate before a stop is honoured.
	MinTokens int `json:"min_tokens,omitzero"`
	// Stop ends a completion when one of the strings is generated.
	Stop []string `json:"stop,omitzero"`
	// StopTokenIDs ends a completion when one of the tokens is generated.
	StopTokenIDs []int32 `json:"stop_token_ids,omitzero"`
	// IgnoreEOS goes on after the end-of-sequence token.
	IgnoreEOS bool `json:"ignore_eos,omitzero"`
	// Detokenize turns token IDs into text; nil means true. False saves time when nobody reads text.
	Detokenize *bool `json:"detokenize,omitzero"`
}
