package vllmgo_test

import (
	"os"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// TestOutOfMemoryAtLoad asks for sequences that the KV cache cannot hold, in both modes, and does what the error says.
func TestOutOfMemoryAtLoad(t *testing.T) {
	testenv.VLLM(t)
	t.Setenv("VLLM_CPU_KVCACHE_SPACE", "1")
	for _, mode := range []vllmgo.EngineMode{vllmgo.InProcess, vllmgo.OwnProcess} {
		t.Run(string(mode), func(t *testing.T) {
			args := vllmgo.EngineArgs{
				Model: testenv.SmolLM2(t), LoadFormat: "dummy", SkipTokenizerInit: true, EnforceEager: true, EngineMode: mode,
				KVCacheMemoryBytes: 1 << 30, MaxModelLen: 100_000,
				HFOverrides: map[string]any{"max_position_embeddings": 100_000},
			}
			_, err := vllmgo.New(t.Context(), args)
			require.ErrorIs(t, err, vllmgo.ErrOutOfMemory)
			t.Log(err)
			// 1 GiB holds 46,603 tokens of 23,040 bytes.
			assert.ErrorContains(t, err, "lower MaxModelLen from 100000 to 46")
			assert.ErrorContains(t, err, "or give the KV cache 1.")
			if mode == vllmgo.InProcess {
				args.MaxModelLen = 46_000
				llm := open(t, args)
				require.NoError(t, llm.Close())
			}
		})
	}
}

// TestFailureAtLoad breaks the weights: only the engine's process knows what is wrong.
func TestFailureAtLoad(t *testing.T) {
	args := tiny(t, vllmgo.OwnProcess)
	args.LoadFormat = "safetensors"
	require.NoError(t, os.WriteFile(args.Model+"/model.safetensors", []byte("no weights"), 0o644))
	_, err := vllmgo.New(t.Context(), args)
	t.Log(err)
	assert.ErrorContains(t, err, "its process says:\n\t")
	assert.ErrorContains(t, err, "SafetensorError")
}

// TestSleep gives a GPU's memory back for a while.
func TestSleep(t *testing.T) {
	testenv.VLLM(t)
	if device, err := vllmgo.DetectDevice(t.Context()); err != nil || device != "cuda" {
		t.Skip("vLLM can sleep on GPUs only; what it says on others is tested in TestRealModels")
	}
	args := tiny(t, vllmgo.OwnProcess)
	args.EnableSleepMode = true
	llm := open(t, args)
	greedy := vllmgo.SamplingParams{Temperature: new(0.0), MaxTokens: 8, IgnoreEOS: true}
	before, err := llm.Generate(t.Context(), numbered(2), greedy)
	require.NoError(t, err)
	awake := freeGPUMemory(t)
	require.NoError(t, llm.Sleep(t.Context(), 1))
	sleeping, err := llm.IsSleeping(t.Context())
	require.NoError(t, err)
	assert.True(t, sleeping)
	asleep := freeGPUMemory(t)
	t.Logf("free memory of the GPU: %d MiB awake, %d MiB asleep", awake>>20, asleep>>20)
	assert.Greater(t, asleep, awake+1<<30)
	require.NoError(t, llm.WakeUp(t.Context()))
	after, err := llm.Generate(t.Context(), numbered(2), greedy)
	require.NoError(t, err)
	assert.Equal(t, before.Outputs, after.Outputs)
}

// freeGPUMemory is that of the first GPU, in bytes.
func freeGPUMemory(t *testing.T) uint64 {
	t.Helper()
	require.Equal(t, nvml.SUCCESS, nvml.Init())
	defer nvml.Shutdown()
	device, ret := nvml.DeviceGetHandleByIndex(0)
	require.Equal(t, nvml.SUCCESS, ret)
	info, ret := device.GetMemoryInfo()
	require.Equal(t, nvml.SUCCESS, ret)
	return info.Free
}
