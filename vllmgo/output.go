package vllmgo

import "time"

// Generation is what one call of [LLM.Generate] returns.
type Generation struct {
	// Outputs has one element for each prompt, in the order of the prompts.
	Outputs []RequestOutput
	// Elapsed is the time that vLLM's LLM.generate took, measured around that call alone.
	Elapsed time.Duration
}

// RequestOutput is the result for one prompt.
type RequestOutput struct {
	// PromptTokenIDs are the token IDs that the model saw.
	PromptTokenIDs []int32
	// NumCachedTokens is the number of prompt tokens found in the prefix cache; -1 when vLLM does not say.
	NumCachedTokens int
	// Outputs are the completions: SamplingParams.N of them.
	Outputs []CompletionOutput
}

// CompletionOutput is one completion of a prompt.
type CompletionOutput struct {
	// Text is the generated text; empty when SamplingParams.Detokenize is false.
	Text string
	// TokenIDs are the generated token IDs.
	TokenIDs []int32
	// FinishReason is "stop", "length" or "abort".
	FinishReason string
	// StopReason is the stop string or, in decimal, the stop token ID that ended the completion; empty when
	// it ended for another reason, the end-of-sequence token included.
	StopReason string
}
