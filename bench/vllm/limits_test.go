package vllm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// The sizes together with the embeddings, norms and biases, which are not counted, are the models'
// 125,239,296 and 134,515,008 parameters.
func TestModelSize(t *testing.T) {
	shape := func(config []byte) string {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644))
		return dir
	}
	for model, want := range map[string]journal.ModelSize{
		shape(opt125mConfig): {Layers: 84934656, Head: 38608896},
		// meta-llama/Llama-3.1-8B, whose 8,030,261,248 parameters are these, as many embeddings as
		// the head's, and 65 norms of 4096
		shape(llama8BConfig): {Layers: 6979321856, Head: 525336576},
		testenv.SmolLM2(t):   {Layers: 106168320, Head: 28311552},
	} {
		config, err := vllmgo.LoadModelConfig(t.Context(), vllmgo.EngineArgs{Model: model})
		require.NoError(t, err)
		assert.Equal(t, &want, ModelSize(config))
	}
}

func TestModelSizeUnknown(t *testing.T) {
	known := vllmgo.ModelConfig{ModelType: "qwen2", NumLayers: 3, NumAttentionHeads: 4, NumKVHeads: 2, HeadDim: 5, HiddenSize: 7, IntermediateSize: 11, VocabSize: 13}
	assert.Equal(t, &journal.ModelSize{Layers: 3 * (2*7*5*6 + 3*7*11), Head: 7 * 13}, ModelSize(known))
	for _, spoil := range []func(*vllmgo.ModelConfig){
		func(c *vllmgo.ModelConfig) { c.ModelType = "mamba" },
		func(c *vllmgo.ModelConfig) { c.HiddenSize = 0 },
		func(c *vllmgo.ModelConfig) { c.IntermediateSize = 0 },
	} {
		c := known
		spoil(&c)
		assert.Nil(t, ModelSize(c))
	}
}

func TestMeasureLimits(t *testing.T) {
	_, err := MeasureLimits(t.Context(), "cpu", "auto")
	require.ErrorContains(t, err, "type is not known")
	testenv.VLLM(t)
	limits, err := MeasureLimits(t.Context(), "cpu", "bfloat16")
	require.NoError(t, err)
	t.Logf("%+v", limits)
	assert.Greater(t, limits.Bandwidth, 1e8)
	assert.Greater(t, limits.FLOPS, 1e8)
	_, err = MeasureLimits(t.Context(), "cpu", "float17")
	assert.ErrorContains(t, err, "float17")
}

func TestEmbeddedConfig(t *testing.T) {
	var config map[string]any
	require.NoError(t, json.Unmarshal(opt125mConfig, &config))
	assert.Equal(t, 50272.0, config["vocab_size"])
	assert.Equal(t, []any{"OPTForCausalLM"}, config["architectures"])
	assert.Equal(t, "float16", config["torch_dtype"])
}
