// Package testenv is what tests with a real vLLM share: whether it is there, and models to load.
package testenv

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// VLLM skips the test when no Python with vLLM is found, and fails it instead when VLLMGO_REQUIRE_VLLM is set.
// On a CPU, engines get a KV cache of 1 GiB, unless the environment says otherwise, instead of most of the memory.
func VLLM(t testing.TB) {
	t.Helper()
	const space = "VLLM_CPU_KVCACHE_SPACE"
	if _, set := os.LookupEnv(space); !set {
		require.NoError(t, os.Setenv(space, "1")) // before Python starts, for the whole process
	}
	if _, err := vllmgo.DetectDevice(context.Background()); err != nil {
		missing(t, "this test needs vLLM (make setup): "+err.Error())
	}
}

// SmolLM2 is the folder of SmolLM2-135M-Instruct, a small real model, which scripts/make-test-model makes.
func SmolLM2(t testing.TB) string {
	t.Helper()
	VLLM(t)
	dir := filepath.Join(root(), ".cache", "models", "smollm2-135m")
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		missing(t, "this test needs the test model (make test makes it): "+err.Error())
	}
	return dir
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("VLLMGO_REQUIRE_VLLM") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TinyLlama is the folder of a Llama of two thin layers without weights, for LoadFormat "dummy", that knows
// vocabSize token IDs and sequences of 1024 tokens. It loads fast and says nothing sensible.
func TinyLlama(t testing.TB, vocabSize int) string {
	t.Helper()
	dir := t.TempDir()
	config, err := json.Marshal(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "torch_dtype": "bfloat16",
		"vocab_size": vocabSize, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
		"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644))
	return dir
}

// root is the top of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
