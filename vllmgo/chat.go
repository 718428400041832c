package vllmgo

import "encoding/json"

// Chat is a conversation that the model is to continue, as vLLM's LLM.chat takes it.
type Chat struct {
	Messages []Message `json:"messages"`
	// Tools are the functions that the model may ask to be called, if its template knows of tools.
	Tools []Tool `json:"tools,omitzero"`
	// Template is the chat template, in Jinja; empty means the model's own.
	Template string `json:"chat_template,omitzero"`
	// TemplateKwargs are more variables for the template, such as enable_thinking.
	TemplateKwargs map[string]any `json:"chat_template_kwargs,omitzero"`
	// ContinueFinalMessage makes the model go on with the last message instead of answering it.
	// AddGenerationPrompt must then be false.
	ContinueFinalMessage bool `json:"continue_final_message,omitzero"`
	// AddGenerationPrompt ends the prompt with what begins an answer; nil means true.
	AddGenerationPrompt *bool `json:"add_generation_prompt,omitzero"`
	// ContentFormat says how the template sees a message's content: "string", "openai" (a list of parts), or
	// "auto" (default), which looks at the template.
	ContentFormat string `json:"chat_template_content_format,omitzero"`
}

// Message is one turn of a conversation, in the form of OpenAI's API.
type Message struct {
	// Role is who speaks: "system", "user", "assistant" or "tool".
	Role string `json:"role"`
	// Content is the text.
	Content string `json:"content"`
	// Name tells speakers of one role apart.
	Name string `json:"name,omitzero"`
	// ToolCalls are what an assistant asked to be called.
	ToolCalls []ToolCall `json:"tool_calls,omitzero"`
	// ToolCallID says which call a message of role "tool" answers.
	ToolCallID string `json:"tool_call_id,omitzero"`
}

// Tool is a function that the model may ask to be called.
type Tool struct {
	Name        string
	Description string
	// Parameters is the JSON schema of the arguments: anything that encoding/json turns into one.
	Parameters any
}

// MarshalJSON gives the form of OpenAI's API.
func (t Tool) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"type": "function", "function": struct {
		Name        string `json:"name"`
		Description string `json:"description,omitzero"`
		Parameters  any    `json:"parameters,omitzero"`
	}(t)})
}

// ToolCall is one call that an assistant asked for.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is a JSON object.
	Arguments json.RawMessage
}

// MarshalJSON gives the form of OpenAI's API, in which the arguments are a string.
func (c ToolCall) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"id": c.ID, "type": "function", "function": map[string]any{
		"name": c.Name, "arguments": string(c.Arguments),
	}})
}
