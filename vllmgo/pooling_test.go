package vllmgo_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

var (
	query     = "How do I bake bread?"
	documents = []string{"Knead the dough and let it rise.", "The stock market fell on Monday."}
)

var embeddingCalls = []referenceCall{
	{Method: "embed", Prompts: append([]string{query}, documents...)},
	{Method: "score", Prompts: append([]string{query}, documents...)},
}

// poolingTolerance is the largest difference of values in [-1, 1] that counts as none; see logprobTolerance.
const poolingTolerance = 1e-6

func testEmbedding(t *testing.T, llm *vllmgo.LLM, want []json.RawMessage) {
	assert.Equal(t, "pooling", llm.Info().Runner)
	var vectors [][]float32
	require.NoError(t, json.Unmarshal(want[0], &vectors))
	got, err := llm.Embed(t.Context(), vllmgo.Texts(append([]string{query}, documents...)...), vllmgo.PoolingParams{})
	require.NoError(t, err)
	require.Len(t, got, 3)
	for i := range vectors {
		assert.InDeltaSlice(t, vectors[i], got[i], poolingTolerance)
		assert.InDelta(t, 1, dot(got[i], got[i]), 1e-3, "embeddings have length 1")
	}
	assert.Greater(t, dot(got[0], got[1]), dot(got[0], got[2])+0.1, "bread goes with dough")

	var wantScores []float32
	require.NoError(t, json.Unmarshal(want[1], &wantScores))
	scores, err := llm.Score(t.Context(), []string{query}, documents, vllmgo.PoolingParams{})
	require.NoError(t, err)
	assert.InDeltaSlice(t, wantScores, scores, poolingTolerance)
	assert.InDelta(t, dot(got[0], got[1]), scores[0], 1e-3)

	raw, err := llm.Embed(t.Context(), vllmgo.Texts(query), vllmgo.PoolingParams{UseActivation: new(false)})
	require.NoError(t, err)
	assert.Greater(t, math.Abs(dot(raw[0], raw[0])-1), 0.1, "without normalization")

	for message, call := range map[string]func() error{
		`load it with EngineArgs.Runner "generate"`: func() error {
			_, err := llm.Generate(t.Context(), vllmgo.Texts("a"), vllmgo.SamplingParams{})
			return err
		},
		"does not support 'classify'; it supports": func() error {
			_, err := llm.Classify(t.Context(), vllmgo.Texts("a"), vllmgo.PoolingParams{})
			return err
		},
		"prompt 0 is empty":      func() error { _, err := llm.Embed(t.Context(), vllmgo.Texts(""), vllmgo.PoolingParams{}); return err },
		"there are no documents": func() error { _, err := llm.Score(t.Context(), []string{"a"}, nil, vllmgo.PoolingParams{}); return err },
		"2 queries and 3 documents": func() error {
			_, err := llm.Score(t.Context(), make([]string, 2), make([]string, 3), vllmgo.PoolingParams{})
			return err
		},
	} {
		assert.ErrorContains(t, call(), message)
	}
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// TestClassifier loads a classifier of three classes with random weights, whose head is also a reward model's.
func TestClassifier(t *testing.T) {
	args := tiny(t, vllmgo.InProcess)
	path := filepath.Join(args.Model, "config.json")
	encoded, err := os.ReadFile(path)
	require.NoError(t, err)
	var config map[string]any
	require.NoError(t, json.Unmarshal(encoded, &config))
	config["architectures"] = []string{"LlamaForSequenceClassification"}
	config["num_labels"] = 3
	encoded, err = json.Marshal(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, encoded, 0o644))
	llm := open(t, args)
	classes, err := llm.Classify(t.Context(), vllmgo.Tokens([]int32{1, 2, 3}, []int32{4}), vllmgo.PoolingParams{})
	require.NoError(t, err)
	require.Len(t, classes, 2)
	for _, probabilities := range classes {
		require.Len(t, probabilities, 3)
		assert.InDelta(t, 1, probabilities[0]+probabilities[1]+probabilities[2], 1e-3)
	}
	rewards, err := llm.Encode(t.Context(), vllmgo.Classify, vllmgo.Tokens([]int32{1, 2, 3}), vllmgo.PoolingParams{UseActivation: new(false)})
	require.NoError(t, err)
	assert.Equal(t, []int{3}, rewards[0].Shape)
	assert.Equal(t, 3, rewards[0].NumPromptTokens)
	assert.NotEqual(t, classes[0], rewards[0].Values, "without softmax")
	require.NoError(t, llm.Close())
}

// TestTokenEmbedding asks for a vector for each token.
func TestTokenEmbedding(t *testing.T) {
	llm := open(t, vllmgo.EngineArgs{
		Model: testenv.MiniLM(t), EnforceEager: true, EngineMode: vllmgo.InProcess,
		Extra: map[string]any{"pooler_config": map[string]any{"task": "token_embed"}},
	})
	outputs, err := llm.Encode(t.Context(), vllmgo.TokenEmbed, vllmgo.Texts(query), vllmgo.PoolingParams{})
	require.NoError(t, err)
	assert.Equal(t, []int{outputs[0].NumPromptTokens, 384}, outputs[0].Shape)
	assert.Len(t, outputs[0].Values, outputs[0].NumPromptTokens*384)
	require.NoError(t, llm.Close())
}
