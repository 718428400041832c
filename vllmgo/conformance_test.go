package vllmgo_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// prompts are what the conformance test asks.
var prompts = []string{
	"The capital of France is", "Once upon a time", "def fibonacci(n):", "Water boils at",
	"The three primary colours are", "To be, or not to be", "In 1969, humans", "Dear Sir or Madam,",
}

// logprobTolerance is the largest difference between logprobs of Go and Python that counts as none.
// Both come from the same code and the same batches; what differs is their way through JSON.
const logprobTolerance = 1e-6

// referenceCall is one call for testdata/reference.py.
type referenceCall struct {
	Method   string             `json:"method"`
	Prompts  any                `json:"prompts,omitzero"`
	Messages [][]vllmgo.Message `json:"messages,omitzero"`
	// Chat is keyword arguments of LLM.chat, written by hand: Go's own JSON could not show that it
	// is wrong.
	Chat   json.RawMessage `json:"chat,omitzero"`
	Params any             `json:"params,omitzero"`
	LoRA   []string        `json:"lora,omitzero"`
}

// referenceOutput is what reference.py prints of a RequestOutput.
type referenceOutput struct {
	PromptTokenIDs []int32              `json:"prompt_token_ids"`
	PromptLogprobs [][]referenceLogprob `json:"prompt_logprobs"`
	Outputs        []struct {
		Index        int                  `json:"index"`
		Text         string               `json:"text"`
		TokenIDs     []int32              `json:"token_ids"`
		Logprobs     [][]referenceLogprob `json:"logprobs"`
		Cumulative   float64              `json:"cumulative"`
		FinishReason string               `json:"finish_reason"`
		StopReason   string               `json:"stop_reason"`
	} `json:"outputs"`
}

type referenceLogprob struct {
	TokenID int32   `json:"token_id"`
	Logprob float64 `json:"logprob"`
	Rank    int     `json:"rank"`
	Token   string  `json:"token"`
}

// referenceJob is one engine, and what it is asked.
type referenceJob struct {
	Args  vllmgo.EngineArgs `json:"args"`
	Calls []referenceCall   `json:"calls"`
}

// reference asks plain Python, with its engines in process. It returns the answers to all calls.
func reference(t *testing.T, jobs ...referenceJob) []json.RawMessage {
	t.Helper()
	calls := 0
	for i := range jobs {
		jobs[i].Args.EngineMode = vllmgo.EngineModeAuto // which is not an argument of vLLM's
		calls += len(jobs[i].Calls)
	}
	encoded, err := json.Marshal(jobs)
	require.NoError(t, err)
	python, err := vllmgo.Python()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "testdata/reference.py")
	cmd.Env = append(os.Environ(), "VLLM_ENABLE_V1_MULTIPROCESSING=0")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(encoded), os.Stderr
	output, err := cmd.Output()
	require.NoError(t, err)
	_, line, found := strings.Cut(string(output), "REFERENCE ")
	require.True(t, found, "%s", output)
	var results []json.RawMessage
	require.NoError(t, json.NewDecoder(strings.NewReader(line)).Decode(&results))
	require.Len(t, results, calls)
	return results
}

// conformanceCall is one call, for Go and for Python.
type conformanceCall struct {
	name    string
	prompts []vllmgo.Prompt
	params  vllmgo.SamplingParams
	beams   *vllmgo.BeamSearchParams
	// chat is what reference.py is given in place of a chat's messages and tools.
	chat string
	// defaults gives Python no parameters, and Go the model's default ones.
	defaults bool
}

func conformanceCalls() []conformanceCall {
	with := func(change func(*vllmgo.SamplingParams)) vllmgo.SamplingParams {
		params := greedy
		change(&params)
		return params
	}
	schema := json.RawMessage(`{"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},
		"age": {"type": "integer", "minimum": 0, "maximum": 120}}, "required": ["name", "age"]}`)
	text := vllmgo.Texts
	structured := func(s vllmgo.StructuredOutputs) vllmgo.SamplingParams {
		return with(func(p *vllmgo.SamplingParams) { p.StructuredOutputs, p.MaxTokens = &s, 60 })
	}
	var calls []conformanceCall
	for _, c := range []struct {
		name    string
		prompts []vllmgo.Prompt
		params  vllmgo.SamplingParams
		beams   *vllmgo.BeamSearchParams
	}{
		{"greedy", text(prompts...), greedy, nil},
		{"token IDs", vllmgo.Tokens([]int32{504, 3575, 282, 4649, 314}, []int32{1, 2, 3}), greedy, nil},
		{"one params for each", []vllmgo.Prompt{
			{Text: "a", Params: new(exactly(3))}, {Text: "b", Params: &vllmgo.SamplingParams{Seed: new(5), MaxTokens: 5, IgnoreEOS: true, N: 2}},
		}, greedy, nil},
		{"seed", text(prompts...), with(func(p *vllmgo.SamplingParams) {
			p.Temperature, p.Seed, p.TopP, p.TopK, p.MinP = new(0.9), new(7), 0.95, 50, 0.01
		}), nil},
		{"n", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.Temperature, p.Seed, p.N = new(1.0), new(0), 3 }), nil},
		{"penalties", text(prompts...), with(func(p *vllmgo.SamplingParams) {
			p.PresencePenalty, p.FrequencyPenalty, p.RepetitionPenalty = 0.5, -0.5, 1.3
		}), nil},
		{"stop string", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.Stop = []string{"answer", "zzz"} }), nil},
		{"stop string in output", text(prompts[0]), with(func(p *vllmgo.SamplingParams) {
			p.Stop, p.IncludeStopStrInOutput = []string{"answer"}, true
		}), nil},
		{"stop token", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.StopTokenIDs = []int32{198} }), nil},
		{"min tokens", text(prompts[0]), with(func(p *vllmgo.SamplingParams) {
			p.StopTokenIDs, p.MinTokens = []int32{198}, 10
		}), nil},
		{"unlimited", vllmgo.Tokens(make([]int32, 500)), with(func(p *vllmgo.SamplingParams) { p.MaxTokens, p.IgnoreEOS = vllmgo.Unlimited, true }), nil},
		{"logprobs", text(prompts[:3]...), with(func(p *vllmgo.SamplingParams) { p.Logprobs, p.PromptLogprobs = new(3), new(2) }), nil},
		{"logprob of the chosen token", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.Logprobs = new(0) }), nil},
		{"logit bias", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.LogitBias = map[int32]float64{7042: -100, 260: 3} }), nil},
		{"allowed tokens", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.AllowedTokenIDs = []int32{260, 7042, 30} }), nil},
		{"bad words", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.BadWords = []string{"Paris"} }), nil},
		{"special tokens", text(prompts[0]), with(func(p *vllmgo.SamplingParams) {
			p.AllowedTokenIDs, p.SkipSpecialTokens, p.SpacesBetweenSpecialTokens, p.IgnoreEOS = []int32{1}, new(false), new(false), true
		}), nil},
		{"no text", text(prompts[0]), with(func(p *vllmgo.SamplingParams) { p.Detokenize = new(false) }), nil},
		{"JSON schema", text("A person in JSON:", "An old man in JSON:"), structured(vllmgo.StructuredOutputs{JSON: schema}), nil},
		{"JSON object", text("Some JSON:"), structured(vllmgo.StructuredOutputs{JSONObject: true}), nil},
		{"regex", text("My phone number is"), structured(vllmgo.StructuredOutputs{Regex: `\d{3}-\d{4}`}), nil},
		{"choice", text("The capital of England is"), structured(vllmgo.StructuredOutputs{Choice: []string{"Paris", "London"}}), nil},
		{"grammar", text("2 + 2 ="), structured(vllmgo.StructuredOutputs{Grammar: `root ::= [0-9] " + " [0-9]`}), nil},
		{"chat", vllmgo.Chats(
			vllmgo.Chat{Messages: []vllmgo.Message{{Role: "system", Content: "Answer briefly."}, {Role: "user", Content: "What is 2 + 2?"}}},
			vllmgo.Chat{Messages: []vllmgo.Message{{Role: "user", Content: "Name a colour."}}},
		), greedy, nil},
		{"beam search", text(prompts[:2]...), greedy, &vllmgo.BeamSearchParams{BeamWidth: 3, MaxTokens: 8}},
	} {
		calls = append(calls, conformanceCall{name: c.name, prompts: c.prompts, params: c.params, beams: c.beams})
	}
	truncated := text("One two three four five six seven eight nine")
	truncated[0].TruncatePromptTokens = 4
	return append(calls,
		conformanceCall{name: "default parameters", prompts: text(prompts[0]), defaults: true},
		conformanceCall{name: "tools", prompts: vllmgo.Chats(chatWithTools()), params: greedy, chat: toolsInPython},
		conformanceCall{name: "truncation", prompts: truncated, params: greedy})
}

// chatWithTools is a conversation whose template shows all that it is given, and toolsInPython is
// the same in Python.
func chatWithTools() vllmgo.Chat {
	return vllmgo.Chat{
		Messages: []vllmgo.Message{
			{Role: "user", Content: "How hot is it?"},
			{Role: "assistant", ToolCalls: []vllmgo.ToolCall{{ID: "call_1", Name: "heat", Arguments: json.RawMessage(`{"unit": "C", "at": "Rome"}`)}}},
			{Role: "tool", Content: "31", ToolCallID: "call_1"},
		},
		Tools: []vllmgo.Tool{{Name: "heat", Description: "Tells the heat.", Parameters: json.RawMessage(
			`{"type": "object", "properties": {"unit": {"type": "string"}, "at": {"type": "string"}}}`)}},
		Template: `{{ tools | tojson }} {{ messages | tojson }}`,
	}
}

const toolsInPython = `{
	"messages": [
		{"role": "user", "content": "How hot is it?"},
		{"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": {
			"name": "heat", "arguments": "{\"unit\": \"C\", \"at\": \"Rome\"}"}}]},
		{"role": "tool", "content": "31", "tool_call_id": "call_1"}
	],
	"tools": [{"type": "function", "function": {"name": "heat", "description": "Tells the heat.", "parameters":
		{"type": "object", "properties": {"unit": {"type": "string"}, "at": {"type": "string"}}}}}],
	"chat_template": "{{ tools | tojson }} {{ messages | tojson }}"
}`

// adaptedCalls use a LoRA adapter.
func adaptedCalls(adapter vllmgo.LoRA) []conformanceCall {
	adapted := vllmgo.Texts(prompts...)
	for i := range adapted {
		adapted[i].LoRA = &adapter
	}
	return []conformanceCall{{name: "LoRA", prompts: adapted, params: greedy}}
}

// forReference are the same calls for reference.py.
func forReference(calls []conformanceCall) []referenceCall {
	var all []referenceCall
	for _, call := range calls {
		all = append(all, call.forReference())
	}
	return all
}

// forReference is the same call for reference.py.
func (c conformanceCall) forReference() referenceCall {
	call := referenceCall{Method: "generate"}
	var inputs, params []any
	for _, prompt := range c.prompts {
		switch {
		case prompt.Chat != nil:
			call.Method = "chat"
			if c.chat == "" {
				call.Messages = append(call.Messages, prompt.Chat.Messages)
			} else {
				call.Chat = json.RawMessage(c.chat)
			}
		case prompt.TokenIDs != nil:
			inputs = append(inputs, prompt.TokenIDs)
		default:
			inputs = append(inputs, prompt.Text)
		}
		if prompt.Params != nil {
			params = append(params, *prompt.Params)
		} else {
			params = append(params, c.params)
		}
		if prompt.LoRA != nil {
			call.LoRA = []string{prompt.LoRA.Name, prompt.LoRA.Path}
		}
	}
	if c.beams != nil {
		call.Method, params = "beam_search", []any{c.beams}
	}
	if c.name == "truncation" {
		call.Method = "truncate"
	}
	if c.name == "unlimited" {
		params = []any{map[string]any{"temperature": 0, "max_tokens": nil, "ignore_eos": true}}
	}
	if c.defaults {
		params = nil
	}
	call.Prompts, call.Params = inputs, params
	return call
}

// testConformance asks the engine what plain Python was asked, in the same order, and compares all
// there is.
func testConformance(t *testing.T, llm *vllmgo.LLM, calls []conformanceCall, want []json.RawMessage) {
	for i, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			if call.beams != nil {
				compareBeams(t, llm, call, want[i])
				return
			}
			if call.defaults {
				call.params = llm.DefaultSamplingParams()
			}
			g, err := llm.Generate(t.Context(), call.prompts, call.params)
			require.NoError(t, err)
			assert.False(t, g.Shared)
			assert.Positive(t, g.Elapsed)
			compareOutputs(t, want[i], g.Outputs)
		})
	}
}

func compareOutputs(t *testing.T, want json.RawMessage, got []vllmgo.RequestOutput) {
	t.Helper()
	var outputs []referenceOutput
	require.NoError(t, json.Unmarshal(want, &outputs))
	require.Len(t, got, len(outputs))
	for i, output := range outputs {
		assert.Equal(t, output.PromptTokenIDs, got[i].PromptTokenIDs)
		compareLogprobs(t, output.PromptLogprobs, got[i].PromptLogprobs)
		require.Len(t, got[i].Outputs, len(output.Outputs))
		for j, completion := range output.Outputs {
			own := got[i].Outputs[j]
			assert.Equal(t, completion.Index, own.Index)
			assert.Equal(t, completion.Text, own.Text)
			assert.Equal(t, completion.TokenIDs, own.TokenIDs)
			assert.Equal(t, completion.FinishReason, own.FinishReason)
			assert.Equal(t, completion.StopReason, own.StopReason)
			assert.InDelta(t, completion.Cumulative, own.CumulativeLogprob, logprobTolerance)
			compareLogprobs(t, completion.Logprobs, own.Logprobs)
		}
	}
}

func compareLogprobs(t *testing.T, want [][]referenceLogprob, got [][]vllmgo.Logprob) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, position := range want {
		require.Len(t, got[i], len(position))
		for j, candidate := range position {
			assert.InDelta(t, candidate.Logprob, got[i][j].Logprob, logprobTolerance)
			candidate.Logprob = got[i][j].Logprob
			assert.Equal(t, vllmgo.Logprob(candidate), got[i][j])
		}
	}
}

func compareBeams(t *testing.T, llm *vllmgo.LLM, call conformanceCall, want json.RawMessage) {
	var beams [][]struct {
		Text       string
		TokenIDs   []int32 `json:"token_ids"`
		Cumulative float64
	}
	require.NoError(t, json.Unmarshal(want, &beams))
	g, err := llm.BeamSearch(t.Context(), call.prompts, *call.beams)
	require.NoError(t, err)
	require.Len(t, g.Outputs, len(beams))
	for i, prompt := range beams {
		require.Len(t, g.Outputs[i].Outputs, call.beams.BeamWidth)
		for j, beam := range prompt {
			assert.Equal(t, beam.Text, g.Outputs[i].Outputs[j].Text)
			assert.Equal(t, beam.TokenIDs, append(slices.Clone(g.Outputs[i].PromptTokenIDs), g.Outputs[i].Outputs[j].TokenIDs...))
			assert.InDelta(t, beam.Cumulative, g.Outputs[i].Outputs[j].CumulativeLogprob, logprobTolerance)
		}
	}
}
