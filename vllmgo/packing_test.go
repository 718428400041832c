package vllmgo

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPackMixesTextAndTokens(t *testing.T) {
	input := pack([]Prompt{{TokenIDs: []int32{7, 8}}, {Text: "é"}, {TokenIDs: []int32{9}}}, []string{"{}"}, nil)
	assert.Equal(t, []int32{2, 0, 1}, valuesOf[int32](input.Lengths))
	assert.Equal(t, []int32{7, 8, 9}, valuesOf[int32](input.TokenIDs))
	assert.Equal(t, []string{"é"}, input.Texts)
	assert.Equal(t, []string{"{}"}, input.Params)
	assert.Empty(t, input.Options)
}

func TestEncodeParams(t *testing.T) {
	prompts := make([]Prompt, 2)
	encoded, err := encodeParams(prompts, 0, SamplingParams{})
	require.NoError(t, err)
	assert.Equal(t, []string{"{}"}, encoded, "one for all")
	prompts[1].Params = &SamplingParams{Temperature: new(0.0), MaxTokens: 3, Extra: map[string]any{"x": nil}}
	encoded, err = encodeParams(prompts, 0, SamplingParams{})
	require.NoError(t, err)
	require.Len(t, encoded, 2)
	assert.Equal(t, "{}", encoded[0])
	assert.JSONEq(t, `{"temperature": 0, "max_tokens": 3, "x": null}`, encoded[1])
}

func TestPackTheRest(t *testing.T) {
	in := input{prompts: []Prompt{
		{TokenIDs: []int32{7}, LoRA: &LoRA{Name: "a", Path: "/a"}},
		{Chat: &Chat{
			Messages: []Message{
				{Role: "user", Content: "hot?"},
				{Role: "assistant", ToolCalls: []ToolCall{{ID: "1", Name: "heat", Arguments: []byte(`{"in":"Rome"}`)}}},
				{Role: "tool", ToolCallID: "1", Content: "31"},
			},
			Tools: []Tool{{Name: "heat", Parameters: map[string]any{"type": "object"}}},
		}, Priority: -2},
	}}
	require.NoError(t, in.checkPrompts(4, 0))
	packed := pack(in.prompts, nil, in.options)
	assert.Equal(t, []int32{1, -1}, valuesOf[int32](packed.Lengths))
	assert.JSONEq(t, `[{"adapter": ["a", "/a"]}, {"priority": -2, "chat": {
		"messages": [
			{"role": "user", "content": "hot?"},
			{"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function",
				"function": {"name": "heat", "arguments": "{\"in\":\"Rome\"}"}}]},
			{"role": "tool", "content": "31", "tool_call_id": "1"}],
		"tools": [{"type": "function", "function": {"name": "heat", "parameters": {"type": "object"}}}]}}]`, packed.Options)
}

func TestInputIsRefused(t *testing.T) {
	one := Tokens([]int32{1})
	for message, c := range map[string]struct {
		prompts []Prompt
		params  SamplingParams
	}{
		"there are no prompts":                {},
		"prompt 1 is empty":                   {prompts: append(Texts("a"), Prompt{TokenIDs: []int32{}})},
		"prompt 2 is not valid UTF-8":         {prompts: Texts("a", "b", "caf\xe9")},
		"prompt 0 has more than one of":       {prompts: []Prompt{{Text: "a", TokenIDs: []int32{1}}}},
		"prompt 0 is a chat without":          {prompts: Chats(Chat{})},
		"prompt 0 has 4 tokens; the engine":   {prompts: Tokens([]int32{1, 2, 3, 4})},
		"SamplingParams: MaxTokens is -2":     {one, SamplingParams{MaxTokens: -2}},
		"prompt 1: Params: MaxTokens is -3":   {append(one, Prompt{Text: "a", Params: &SamplingParams{MaxTokens: -3}}), SamplingParams{}},
		"StructuredOutputs needs exactly one": {one, SamplingParams{StructuredOutputs: &StructuredOutputs{Regex: "a", JSONObject: true}}},
	} {
		in := input{prompts: c.prompts}
		err := in.checkPrompts(3, 0)
		if err == nil {
			_, err = encodeParams(c.prompts, 0, c.params)
		}
		assert.ErrorContains(t, err, message)
	}
	for message, params := range map[string]SamplingParams{
		"json: unsupported value: NaN": {TopP: nan()},
		"sets seed twice":              {Seed: new(1), Extra: map[string]any{"seed": 2}},
		`SamplingParams.Extra["x"]`:    {Extra: map[string]any{"x": func() {}}},
	} {
		_, err := encodeParams(one, 0, params)
		assert.ErrorContains(t, err, message)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// bytesOfFloats is for the tests what array("d").tobytes() is in packing.py.
func bytesOfFloats(values ...float64) []byte {
	var b []byte
	for _, value := range values {
		b = binary.NativeEndian.AppendUint64(b, math.Float64bits(value))
	}
	return b
}

func TestUnpack(t *testing.T) {
	p := packedOutput{
		PromptLengths: bytesOf([]int32{2, 1}), PromptIDs: bytesOf([]int32{1, 2, 3}), Cached: bytesOf([]int32{0, -1}),
		Completions: bytesOf([]int32{2, 1}), CompletionIndices: bytesOf([]int32{0, 1, 0}),
		Lengths: bytesOf([]int32{1, 0, 2}), IDs: bytesOf([]int32{4, 5, 6}), Cumulative: bytesOfFloats(0, 0, -1.5),
		Texts: []string{"a", "", "c"}, Reasons: "length\nstop\nstop", Stops: []string{"", "x", "9"},
		Logprobs: &packedLogprobs{
			Positions: bytesOf([]int32{0, 0, 2}), PromptPositions: bytesOf([]int32{2, 0}),
			Counts: bytesOf([]int32{0, 1, 2, 1}), IDs: bytesOf([]int32{2, 5, 7, 6}), Ranks: bytesOf([]int32{3, 1, 2, 1}),
			Values: bytesOfFloats(-0.5, -1, -2, -0.25), Tokens: []string{"b", "c", "d", "e"},
		},
		Metrics: &packedMetrics{
			Times: bytesOfFloats(1.5e9, 10, 11, 13, 16, 4), TokenCounts: bytesOf([]int32{-1, 3}), TokenTimes: bytesOfFloats(13, 14, 16),
		},
	}
	assert.Equal(t, []RequestOutput{
		{
			PromptTokenIDs: []int32{1, 2}, NumCachedTokens: 0,
			PromptLogprobs: [][]Logprob{nil, {{TokenID: 2, Logprob: -0.5, Rank: 3, Token: "b"}}},
			Outputs: []CompletionOutput{
				{Text: "a", TokenIDs: []int32{4}, FinishReason: "length"},
				{Index: 1, FinishReason: "stop", StopReason: "x"},
			},
		},
		{
			PromptTokenIDs: []int32{3}, NumCachedTokens: -1,
			Outputs: []CompletionOutput{{
				Text: "c", TokenIDs: []int32{5, 6}, CumulativeLogprob: -1.5, FinishReason: "stop", StopReason: "9",
				Logprobs: [][]Logprob{
					{{TokenID: 5, Logprob: -1, Rank: 1, Token: "c"}, {TokenID: 7, Logprob: -2, Rank: 2, Token: "d"}},
					{{TokenID: 6, Logprob: -0.25, Rank: 1, Token: "e"}},
				},
			}},
			Metrics: &RequestMetrics{
				ArrivalTime: time.Unix(1.5e9, 0), QueueTime: time.Second, PrefillTime: 2 * time.Second,
				DecodeTime: 3 * time.Second, TTFT: 4 * time.Second, E2ELatency: 7 * time.Second,
				ITL: []time.Duration{time.Second, 2 * time.Second},
			},
		},
	}, p.unpack(packedInput{}))
}

func TestUnpackPromptsAsSent(t *testing.T) {
	p := packedOutput{
		PromptLengths: bytesOf([]int32{-1, 1, 1, -1}), PromptIDs: bytesOf([]int32{9, 8}), Cached: bytesOf([]int32{0, 0, 0, 0}),
		Completions: bytesOf([]int32{0, 0, 0, 0}),
	}
	prompts := []Prompt{{TokenIDs: []int32{1, 2}}, {TokenIDs: []int32{3}}, {Text: "é"}, {TokenIDs: []int32{4}}}
	sent := pack(prompts, nil, nil)
	outputs := p.unpack(sent)
	var seen [][]int32
	for _, output := range outputs {
		seen = append(seen, output.PromptTokenIDs)
	}
	assert.Equal(t, [][]int32{{1, 2}, {9}, {8}, {4}}, seen)
	outputs[0].PromptTokenIDs[0] = 7
	assert.EqualValues(t, 1, prompts[0].TokenIDs[0], "the caller's prompt must not be shared")
}

func TestTPOT(t *testing.T) {
	m := &RequestMetrics{DecodeTime: 6 * time.Second}
	assert.Equal(t, 2*time.Second, m.TPOT(4))
	assert.Zero(t, m.TPOT(1))
}
