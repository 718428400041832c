package vllmgo

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSchemaKeepsTheOrderOfFields(t *testing.T) {
	type city struct {
		Zip  string `json:"zip" jsonschema:"a postal code"`
		Name string `json:"name"`
		Age  int    `json:"age,omitempty"`
	}
	schema, err := SchemaOf[city]()
	require.NoError(t, err)
	assert.Regexp(t, `(?s)"zip".*"name".*"age"`, string(schema))
	assert.Contains(t, string(schema), "a postal code")
	var decoded struct{ Required []string }
	require.NoError(t, json.Unmarshal(schema, &decoded))
	assert.Equal(t, []string{"zip", "name"}, decoded.Required)
	_, err = SchemaOf[func()]()
	assert.ErrorContains(t, err, "a JSON schema of func()")
}

// TestFormOfOpenAI compares the whole text: templates show the keys in their order.
func TestFormOfOpenAI(t *testing.T) {
	tool := Tool{Name: "heat", Description: "Tells.", Parameters: []byte(`{"type":"object","properties":{"z":{},"a":{}}}`)}
	encoded, err := encodeJSON(tool)
	require.ErrorContains(t, err, "Parameters: a []byte", "%s", encoded)
	chat := Chat{
		Messages: []Message{{Role: "assistant", ToolCalls: []ToolCall{{ID: "1", Name: "heat", Arguments: []byte(`{"z":1,"a":"b"}`)}}}},
		Tools:    []Tool{tool},
	}
	got, err := chat.encode()
	require.NoError(t, err)
	assert.Equal(t, `{"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"1","type":"function","function":`+
		`{"name":"heat","arguments":"{\"z\":1,\"a\":\"b\"}"}}]}],"tools":[{"type":"function","function":{"name":"heat",`+
		`"description":"Tells.","parameters":{"type":"object","properties":{"z":{},"a":{}}}}}]}`, string(got))
	params, err := encodeParams(Texts("a"), 0, SamplingParams{StructuredOutputs: &StructuredOutputs{JSON: []byte(`{"z":1,"a":2}`)}})
	require.NoError(t, err)
	assert.Equal(t, `{"structured_outputs":{"json":{"z":1,"a":2}}}`, params[0])
}

func TestTextIsChecked(t *testing.T) {
	const bad = "caf\xe9"
	for path, v := range map[string]any{
		"Choice[1]: the text is not valid UTF-8": StructuredOutputs{Choice: []string{"a", bad}},
		"Messages[0].Content: the text is not":   Chat{Messages: []Message{{Content: bad}}},
		"TemplateKwargs[a].B: the text":          Chat{TemplateKwargs: map[string]any{"a": struct{ B string }{bad}}},
		"TemplateKwargs.a key: the text":         Chat{TemplateKwargs: map[string]any{bad: 1}},
		"Messages[0].ToolCalls[0].Arguments":     Chat{Messages: []Message{{ToolCalls: []ToolCall{{Arguments: json.RawMessage(`"` + bad + `"`)}}}}},
		"Extra[x][0]: a []byte has no form":      SamplingParams{Extra: map[string]any{"x": []any{[]byte("a")}}},
		"unsupported type: chan":                 Chat{TemplateKwargs: map[string]any{"a": make(chan int)}},
	} {
		_, err := encodeJSON(v)
		assert.ErrorContains(t, err, path)
	}
	type cycle struct{ Next *cycle }
	loop := &cycle{}
	loop.Next = loop
	_, err := encodeJSON(loop)
	assert.ErrorContains(t, err, "cycle")
}
