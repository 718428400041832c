package vllmgo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// TestEmbeddings gives vectors in place of tokens, among prompts of tokens.
func TestEmbeddings(t *testing.T) {
	args := tiny(t, vllmgo.InProcess)
	args.Dtype = "float32"
	args.Extra = map[string]any{"enable_prompt_embeds": true}
	llm := open(t, args)
	vectors := func(rows, width int, first float32) vllmgo.Prompt {
		values := make([]float32, rows*width)
		for i := range values {
			values[i] = first * float32(i%7-3)
		}
		return vllmgo.Prompt{Embeddings: &vllmgo.Embeddings{Width: width, Values: values}}
	}
	prompts := []vllmgo.Prompt{vectors(3, 128, 1), {TokenIDs: []int32{5, 6}}, vectors(4, 128, -2), vectors(3, 128, 1)}
	g, err := llm.Generate(t.Context(), prompts, exactly(6))
	require.NoError(t, err)
	for _, output := range g.Outputs {
		assert.Len(t, output.Outputs[0].TokenIDs, 6)
	}
	assert.Equal(t, g.Outputs[0].Outputs[0].TokenIDs, g.Outputs[3].Outputs[0].TokenIDs)
	assert.NotEqual(t, g.Outputs[0].Outputs[0].TokenIDs, g.Outputs[2].Outputs[0].TokenIDs)
	assert.Equal(t, []int32{5, 6}, g.Outputs[1].PromptTokenIDs)
	var streamed []int32
	for delta, err := range llm.Stream(t.Context(), prompts[2], exactly(6)) {
		require.NoError(t, err)
		streamed = append(streamed, delta.TokenIDs...)
	}
	assert.Equal(t, g.Outputs[2].Outputs[0].TokenIDs, streamed)
	for message, prompt := range map[string]vllmgo.Prompt{
		"the embeddings have length 64; the model's have 128": vectors(3, 64, 1),
		"which is not one or more vectors of length 0":        vectors(3, 0, 1),
		"Embeddings for 2000 tokens; the engine takes":        vectors(2000, 128, 1),
	} {
		_, err := llm.Generate(t.Context(), []vllmgo.Prompt{prompt}, exactly(1))
		assert.ErrorContains(t, err, message)
	}
	require.NoError(t, llm.Close())
}
