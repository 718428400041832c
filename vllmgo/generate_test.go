package vllmgo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPackMixesTextAndTokens(t *testing.T) {
	input, err := pack([]Prompt{{TokenIDs: []int32{7, 8}}, {Text: "é"}, {TokenIDs: []int32{9}}},
		[]SamplingParams{{Temperature: new(0.0), MaxTokens: 3}}, 10)
	require.NoError(t, err)
	assert.Equal(t, []int32{2, 0, 1}, int32sOf(input.lengths))
	assert.Equal(t, []int32{7, 8, 9}, int32sOf(input.tokenIDs))
	assert.Equal(t, []string{"é"}, input.texts)
	assert.JSONEq(t, `[{"temperature": 0, "max_tokens": 3}]`, input.params)
}

func TestPackRefuses(t *testing.T) {
	one := Tokens([]int32{1})
	for message, input := range map[string]struct {
		prompts []Prompt
		params  []SamplingParams
	}{
		"there are no prompts":              {},
		"prompt 1 is empty":                 {prompts: append(Texts("a"), Prompt{})},
		"prompt 0 has 4 tokens; the engine": {prompts: Tokens([]int32{1, 2, 3, 4})},
		"1 prompts and 2 SamplingParams":    {one, make([]SamplingParams, 2)},
		"json: unsupported value: NaN":      {one, []SamplingParams{{TopP: nan()}}},
	} {
		_, err := pack(input.prompts, input.params, 4)
		assert.ErrorContains(t, err, message)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestUnpack(t *testing.T) {
	p := packedOutput{
		PromptLengths: bytesOf([]int32{2, 1}), PromptIDs: bytesOf([]int32{1, 2, 3}), Cached: bytesOf([]int32{0, -1}),
		Completions: bytesOf([]int32{2, 1}), Lengths: bytesOf([]int32{1, 0, 2}), IDs: bytesOf([]int32{4, 5, 6}),
		Texts: []string{"a", "", "c"}, Reasons: []string{"length", "stop", "stop"}, Stops: []string{"", "x", "9"},
		ElapsedNs: 1500,
	}
	assert.Equal(t, &Generation{
		Elapsed: 1500 * time.Nanosecond,
		Outputs: []RequestOutput{
			{PromptTokenIDs: []int32{1, 2}, NumCachedTokens: 0, Outputs: []CompletionOutput{
				{Text: "a", TokenIDs: []int32{4}, FinishReason: "length"},
				{TokenIDs: []int32{}, FinishReason: "stop", StopReason: "x"},
			}},
			{PromptTokenIDs: []int32{3}, NumCachedTokens: -1, Outputs: []CompletionOutput{
				{Text: "c", TokenIDs: []int32{5, 6}, FinishReason: "stop", StopReason: "9"},
			}},
		},
	}, p.unpack())
}
