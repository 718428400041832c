package vllmgo

// Prompt is one input: either text, which the engine's tokenizer encodes, or token IDs, which the model
// sees as they are.
type Prompt struct {
	// Text is the prompt's text. Ignored when TokenIDs is set.
	Text string
	// TokenIDs are the prompt's token IDs, as in vLLM's TokensPrompt.
	TokenIDs []int32
}

// Texts makes a prompt of each string.
func Texts(texts ...string) []Prompt {
	prompts := make([]Prompt, len(texts))
	for i, text := range texts {
		prompts[i].Text = text
	}
	return prompts
}

// Tokens makes a prompt of each slice of token IDs. The slices are not copied.
func Tokens(ids ...[]int32) []Prompt {
	prompts := make([]Prompt, len(ids))
	for i := range ids {
		prompts[i].TokenIDs = ids[i]
	}
	return prompts
}
