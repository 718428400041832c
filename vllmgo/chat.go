package vllmgo

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Chat is a conversation for the model to continue, as vLLM's LLM.chat takes it.
type Chat struct {
	Messages []Message `json:"messages"`
	// Tools are functions that the model may ask to be called. Its template must support them.
	Tools []Tool `json:"tools,omitzero"`
	// Template is the chat template, in Jinja; empty means the model's own.
	Template string `json:"chat_template,omitzero"`
	// TemplateKwargs are further variables for the template, such as enable_thinking. The keys of
	// maps in them are in alphabetical order.
	TemplateKwargs map[string]any `json:"chat_template_kwargs,omitzero"`
	// ContinueFinalMessage lets the model continue the last message instead of answering it.
	// AddGenerationPrompt must then be false.
	ContinueFinalMessage bool `json:"continue_final_message,omitzero"`
	// AddGenerationPrompt ends the prompt with the beginning of an answer; nil means true.
	AddGenerationPrompt *bool `json:"add_generation_prompt,omitzero"`
	// ContentFormat is how the template sees a message's content: "string", "openai" (a list of
	// parts), or "auto" (default), which looks at the template.
	ContentFormat string `json:"chat_template_content_format,omitzero"`
}

// Message is one turn of a conversation, in the form of OpenAI's API.
type Message struct {
	// Role is who speaks: "system", "user", "assistant" or "tool".
	Role string `json:"role"`
	// Content is the text.
	Content string `json:"content"`
	// Name distinguishes speakers of one role.
	Name string `json:"name,omitzero"`
	// ToolCalls are the calls that an assistant asked for.
	ToolCalls []ToolCall `json:"tool_calls,omitzero"`
	// ToolCallID is the ID of the call that a message of role "tool" answers.
	ToolCallID string `json:"tool_call_id,omitzero"`
}

// Tool is a function that the model may ask to be called.
type Tool struct {
	Name        string
	Description string
	// Parameters is the JSON schema of the arguments: a json.RawMessage or []byte of JSON, or a
	// value that encoding/json turns into one. Templates show the schema in its order. The keys of
	// a Go map are in alphabetical order; [SchemaOf] keeps the order of a struct's fields.
	Parameters any
}

// MarshalJSON returns the form of OpenAI's API, with its keys in the usual order.
func (t Tool) MarshalJSON() ([]byte, error) {
	type function struct {
		Name        string `json:"name"`
		Description string `json:"description,omitzero"`
		Parameters  any    `json:"parameters,omitzero"`
	}
	return json.Marshal(struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}{"function", function{t.Name, t.Description, asJSON(t.Parameters)}})
}

// ToolCall is one call that an assistant asked for.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is a JSON object.
	Arguments json.RawMessage
}

// MarshalJSON returns the form of OpenAI's API, in which the arguments are a string, with its keys
// in the usual order.
func (c ToolCall) MarshalJSON() ([]byte, error) {
	type function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	return json.Marshal(struct {
		ID       string   `json:"id"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}{c.ID, "function", function{c.Name, string(c.Arguments)}})
}

// asJSON returns v, or the JSON that it holds if it is a []byte: encoding/json would make base64 of
// that.
func asJSON(v any) any {
	if b, ok := v.([]byte); ok {
		return json.RawMessage(b)
	}
	return v
}

// encode checks a conversation and returns it in JSON.
func (c Chat) encode() (json.RawMessage, error) {
	if len(c.Messages) == 0 {
		return nil, errors.New("is a chat without messages")
	}
	c.Tools = slices.Clone(c.Tools)
	for i := range c.Tools {
		c.Tools[i].Parameters = asJSON(c.Tools[i].Parameters)
	}
	encoded, err := encodeJSON(c)
	if err != nil {
		return nil, fmt.Errorf("has a chat that cannot be encoded: %w", err)
	}
	return json.RawMessage(encoded), nil
}
