package vllmgo

// Prompt is one input. It has exactly one of Text, TokenIDs, Chat and Embeddings. The other fields
// are options.
type Prompt struct {
	// Text is encoded by the engine's tokenizer.
	Text string
	// TokenIDs are what the model sees, as in vLLM's TokensPrompt.
	TokenIDs []int32
	// Chat is a conversation. The model's chat template turns it into a prompt.
	Chat *Chat
	// Embeddings are vectors in place of tokens. They need the engine argument
	// enable_prompt_embeds.
	Embeddings *Embeddings

	// Params are the sampling parameters of this prompt; nil means those of the call.
	Params *SamplingParams
	// PoolingParams are the pooling parameters of this prompt; nil means those of the call.
	PoolingParams *PoolingParams
	// LoRA is an adapter to use with the model; nil means none. It needs [EngineArgs].EnableLoRA.
	LoRA *LoRA
	// Priority orders requests: lower values run first. It needs [EngineArgs].SchedulingPolicy
	// "priority".
	Priority int
	// TruncatePromptTokens is the most tokens to keep of a Text or Chat; 0 keeps all. Which end is
	// cut is the tokenizer's choice.
	TruncatePromptTokens int
	// CacheSalt keeps the prompt's part of the prefix cache apart: only prompts with the same salt
	// share it.
	CacheSalt string
}

// Embeddings are the vectors that a model sees in place of tokens.
type Embeddings struct {
	// Width is the length of a vector: the model's hidden size.
	Width int
	// Values are the vectors, one after the other. They are converted to the model's type.
	Values []float32
}

// params returns the sampling parameters of a prompt in a call with the given ones.
func (p Prompt) params(call SamplingParams) SamplingParams {
	if p.Params != nil {
		return *p.Params
	}
	return call
}

// Texts returns a prompt for each string.
func Texts(texts ...string) []Prompt {
	prompts := make([]Prompt, len(texts))
	for i, text := range texts {
		prompts[i].Text = text
	}
	return prompts
}

// Tokens returns a prompt for each slice of token IDs. It does not copy the slices.
func Tokens(ids ...[]int32) []Prompt {
	prompts := make([]Prompt, len(ids))
	for i := range ids {
		prompts[i].TokenIDs = ids[i]
	}
	return prompts
}

// Chats returns a prompt for each conversation.
func Chats(chats ...Chat) []Prompt {
	prompts := make([]Prompt, len(chats))
	for i := range chats {
		prompts[i].Chat = &chats[i]
	}
	return prompts
}
