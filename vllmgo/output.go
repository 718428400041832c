package vllmgo

import "time"

// Generation is what one call of [LLM.Generate] returns.
type Generation struct {
	// Outputs has one element for each prompt, in the order of the prompts.
	Outputs []RequestOutput
	// Elapsed is the time that vLLM's LLM.generate took. For a Shared call, it is the time from its
	// start to the end of its last request, and with several engines, from its start until all
	// outputs are there.
	Elapsed time.Duration
	// Shared is true when the engine worked on other calls at the same time, so that Elapsed says
	// little about its speed.
	Shared bool
}

// RequestOutput is the result for one prompt.
type RequestOutput struct {
	// PromptTokenIDs are the token IDs that the model saw.
	PromptTokenIDs []int32
	// NumCachedTokens is the number of prompt tokens found in the prefix cache; -1 when vLLM does
	// not say.
	NumCachedTokens int
	// PromptLogprobs has the candidates for each token of the prompt, if
	// SamplingParams.PromptLogprobs is set: the prompt's own token and the likeliest ones. The
	// first token has none.
	PromptLogprobs [][]Logprob
	// Outputs are the completions: SamplingParams.N of them.
	Outputs []CompletionOutput
	// Metrics are the request's times; nil unless [EngineArgs].DisableLogStats is false.
	Metrics *RequestMetrics
}

// generatedTokens is the number of tokens of all completions.
func (o RequestOutput) generatedTokens() int {
	tokens := 0
	for _, completion := range o.Outputs {
		tokens += len(completion.TokenIDs)
	}
	return tokens
}

// CompletionOutput is one completion of a prompt.
type CompletionOutput struct {
	// Index is the completion's place among the prompt's, from 0.
	Index int
	// Text is the generated text; empty when SamplingParams.Detokenize is false.
	Text string
	// TokenIDs are the generated token IDs.
	TokenIDs []int32
	// Logprobs has the candidates at each place, if SamplingParams.Logprobs is set: the chosen
	// token first, then the likeliest ones. A token that is both comes once.
	Logprobs [][]Logprob
	// CumulativeLogprob is the sum of the chosen tokens' logprobs; 0 unless SamplingParams.Logprobs
	// is set.
	CumulativeLogprob float64
	// FinishReason is "stop", "length", "repetition" or "abort".
	FinishReason string
	// StopReason is the stop string or, in decimal, the stop token ID that ended the completion. It
	// is empty if the completion ended otherwise, also with the end-of-sequence token.
	StopReason string
}

// Logprob is a token's natural logarithm of its probability.
type Logprob struct {
	TokenID int32
	Logprob float64
	// Rank is the token's place in the vocabulary by probability, from 1; 0 when vLLM does not say.
	Rank int
	// Token is the token's text; empty when SamplingParams.Detokenize is false.
	Token string
}

// RequestMetrics are the times of one request. With SamplingParams.N above 1, they are those of the
// last completion to end.
type RequestMetrics struct {
	// ArrivalTime is the time at which vLLM took the request in.
	ArrivalTime time.Time
	// QueueTime is from the engine core's taking in to its first scheduling.
	QueueTime time.Duration
	// PrefillTime is from the first scheduling to the first token.
	PrefillTime time.Duration
	// DecodeTime is from the first token to the last.
	DecodeTime time.Duration
	// TTFT (time to first token) is from ArrivalTime until vLLM's front end had the first token.
	TTFT time.Duration
	// E2ELatency (end to end) is TTFT and DecodeTime together. Each is measured by one clock.
	E2ELatency time.Duration
	// ITL (inter-token latencies) are the times between the steps that gave the request tokens.
	// There is one fewer than tokens, unless a step gave several.
	ITL []time.Duration
}

// TPOT (time per output token) returns the mean time for a token after the first, given the number
// of tokens. It returns 0 for fewer than two tokens.
func (m *RequestMetrics) TPOT(tokens int) time.Duration {
	if tokens < 2 {
		return 0
	}
	return m.DecodeTime / time.Duration(tokens-1)
}
