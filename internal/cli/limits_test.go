package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/internal/testenv"
)

// The sizes together with the embeddings, norms and biases, which are not counted, are the models' 125,239,296 and
// 134,515,008 parameters.
func TestModelSize(t *testing.T) {
	for config, want := range map[string]*bench.ModelSize{
		string(opt125mConfig): {Layers: 84934656, Head: 38608896},
		// meta-llama/Llama-3.1-8B, whose 8,030,261,248 parameters are these, as many embeddings as the head's, and 65 norms of 4096
		string(llama8BConfig): {Layers: 6979321856, Head: 525336576},
		// HuggingFaceTB/SmolLM2-135M-Instruct
		`{"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
		  "intermediate_size": 1536, "vocab_size": 49152}`: {Layers: 106168320, Head: 28311552},
		`{"model_type": "mamba", "num_attention_heads": 9}`: nil,
		`{}`: nil,
		`{`:  nil,
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644))
		assert.Equal(t, want, modelSize(dir), config)
	}
	assert.Nil(t, modelSize("an/id"))
}

func TestMeasureLimits(t *testing.T) {
	_, err := measureLimits(t.Context(), "cpu", "auto")
	require.ErrorContains(t, err, "type is not known")
	testenv.VLLM(t)
	limits, err := measureLimits(t.Context(), "cpu", "bfloat16")
	require.NoError(t, err)
	t.Logf("%+v", limits)
	assert.Greater(t, limits.Bandwidth, 1e8)
	assert.Greater(t, limits.FLOPS, 1e8)
	_, err = measureLimits(t.Context(), "cpu", "float17")
	assert.ErrorContains(t, err, "float17")
}
