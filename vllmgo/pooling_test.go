package vllmgo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

// poolingTolerance is the largest difference of values in [-1, 1] that counts as none; see
// logprobTolerance.
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
		"prompt 0 is empty": func() error {
			_, err := llm.Embed(t.Context(), vllmgo.Tokens([]int32{}), vllmgo.PoolingParams{})
			return err
		},
		"no pooling parameter dims": func() error {
			_, err := llm.Embed(t.Context(), vllmgo.Texts("a"), vllmgo.PoolingParams{Extra: map[string]any{"dims": 1}})
			return err
		},
		"there are no documents": func() error { _, err := llm.Score(t.Context(), []string{"a"}, nil, vllmgo.PoolingParams{}); return err },
		"2 queries and 3 documents": func() error {
			_, err := llm.Score(t.Context(), make([]string, 2), make([]string, 3), vllmgo.PoolingParams{})
			return err
		},
	} {
		assert.ErrorContains(t, call(), message)
	}
}

// testPoolings embeds from many goroutines, good prompts and bad ones. Every good call gets its own
// vectors.
func testPoolings(t *testing.T, llm *vllmgo.LLM) {
	texts := make([]string, 24)
	for i := range texts {
		texts[i] = fmt.Sprintf("%d loaves of bread", i) + strings.Repeat(" and more", i)
	}
	want, err := llm.Embed(t.Context(), vllmgo.Texts(texts...), vllmgo.PoolingParams{})
	require.NoError(t, err)
	empty, err := llm.Embed(t.Context(), vllmgo.Texts(""), vllmgo.PoolingParams{})
	require.NoError(t, err, "an empty text has its special tokens")
	assert.InDelta(t, 1, dot(empty[0], empty[0]), 1e-3)
	var group sync.WaitGroup
	for i := range texts {
		group.Go(func() {
			got, err := llm.Embed(t.Context(), vllmgo.Texts(texts[i], texts[(i+1)%24]), vllmgo.PoolingParams{})
			if assert.NoError(t, err) {
				assert.InDeltaSlice(t, want[i], got[0], batchTolerance)
				assert.InDeltaSlice(t, want[(i+1)%24], got[1], batchTolerance)
			}
		})
		group.Go(func() {
			for message, prompts := range map[string][]vllmgo.Prompt{
				"prompt 1 is not valid UTF-8": vllmgo.Texts("a", "caf\xe9"),
				"prompt 2: ":                  vllmgo.Texts("a", "b", strings.Repeat("long ", 2000)),
				"out of vocabulary":           vllmgo.Tokens([]int32{1 << 30}),
				"needs EngineArgs.EnableLoRA": {{Text: "a", LoRA: &vllmgo.LoRA{Name: "none", Path: "/none"}}},
			} {
				_, err := llm.Embed(t.Context(), prompts, vllmgo.PoolingParams{})
				if strings.HasPrefix(llm.Info().VLLMVersion, "0.24.") && len(prompts) == 3 {
					message = "maximum context length" // of which prompt, 0.24 does not say
				}
				assert.ErrorContains(t, err, message)
			}
			_, err := llm.Embed(t.Context(), vllmgo.Texts("a"), vllmgo.PoolingParams{Dimensions: 7})
			assert.ErrorContains(t, err, "atryoshka", "the model was not trained for that")
		})
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
			defer cancel()
			many := make([]string, 2000)
			for n := range many {
				many[n] = strings.Repeat("many words ", 40)
			}
			_, err := llm.Embed(ctx, vllmgo.Texts(many...), vllmgo.PoolingParams{})
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		group.Go(func() {
			scores, err := llm.Score(t.Context(), texts[i:i+1], []string{texts[(i+1)%24]}, vllmgo.PoolingParams{})
			if assert.NoError(t, err) {
				assert.InDelta(t, dot(want[i], want[(i+1)%24]), scores[0], batchTolerance)
			}
		})
	}
	group.Wait()
	prompts := vllmgo.Texts(texts[0], texts[0])
	prompts[1].PoolingParams = &vllmgo.PoolingParams{UseActivation: new(false)}
	got, err := llm.Embed(t.Context(), prompts, vllmgo.PoolingParams{})
	require.NoError(t, err)
	assert.InDelta(t, 1, dot(got[0], got[0]), 1e-3)
	assert.Greater(t, math.Abs(dot(got[1], got[1])-1), 0.1, "a prompt's own parameters: without normalization")
	truncated := vllmgo.Prompt{Text: texts[9], TruncatePromptTokens: 5}
	outputs, err := llm.Encode(t.Context(), vllmgo.Embed, []vllmgo.Prompt{truncated}, vllmgo.PoolingParams{})
	require.NoError(t, err)
	assert.Equal(t, 5, outputs[0].NumPromptTokens)
}

// batchTolerance is the largest difference of values in [-1, 1] that the other requests of a batch
// may make.
const batchTolerance = 1e-2

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// TestClassifier loads a classifier of three classes with random weights, whose head is also a
// reward model's.
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
