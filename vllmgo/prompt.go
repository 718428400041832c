package vllmgo

// Prompt is one input: exactly one of Text, TokenIDs and Chat, and what goes with it.
type Prompt struct {
	// Text is encoded by the engine's tokenizer.
	Text string
	// TokenIDs are what the model sees, as in vLLM's TokensPrompt.
	TokenIDs []int32
	// Chat is a conversation, which the model's chat template turns into a prompt.
	Chat *Chat

	// LoRA is the adapter that the model is used with; nil means none. It needs [EngineArgs].EnableLoRA.
	LoRA *LoRA
	// Priority says how urgent the request is: lower values run first. It needs
	// [EngineArgs].SchedulingPolicy "priority".
	Priority int
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

// Chats makes a prompt of each conversation.
func Chats(chats ...Chat) []Prompt {
	prompts := make([]Prompt, len(chats))
	for i := range chats {
		prompts[i].Chat = &chats[i]
	}
	return prompts
}
