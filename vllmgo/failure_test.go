package vllmgo_test

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/pyembed"
	"vllmgo/vllmgo"
)

// TestOutOfMemoryAtLoad asks for sequences that the KV cache cannot hold, in both modes, and does
// what the error says.
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

// TestErrorsKeepNoEngine keeps the errors of calls and of loading. The engine's objects, and so its
// memory, go all the same.
func TestErrorsKeepNoEngine(t *testing.T) {
	args := tiny(t, vllmgo.InProcess)
	llm := open(t, args)
	assert.Subset(t, engineObjects(t), []string{"LLM", "LLMEngine", "EngineCore", "LlamaForCausalLM"})
	refuse := func() (exception *pyembed.Error) {
		_, err := llm.Generate(t.Context(), numbered(1), vllmgo.SamplingParams{Logprobs: new(500)})
		require.ErrorAs(t, err, &exception)
		return exception
	}
	kept := []error{refuse()}
	stopped := make(chan error)
	for range 2 {
		go func() {
			_, err := llm.Generate(context.Background(), numbered(256), forever)
			stopped <- err
		}()
	}
	kept = append(kept, refuse()) // in the step loop, which the two have to share
	require.NoError(t, llm.Close())
	kept = append(kept, <-stopped, <-stopped)
	assert.Empty(t, engineObjects(t))

	llm = open(t, args)
	go func() {
		_, err := llm.Generate(context.Background(), numbered(256), forever)
		stopped <- err
	}()
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, llm.Close())
	kept = append(kept, <-stopped)
	assert.Empty(t, engineObjects(t))

	args.LoadFormat = "safetensors"
	require.NoError(t, os.WriteFile(args.Model+"/model.safetensors", []byte("no weights"), 0o644))
	_, err := vllmgo.New(t.Context(), args)
	require.ErrorContains(t, err, "SafetensorError")
	kept = append(kept, err)
	assert.Empty(t, engineObjects(t))
	runtime.KeepAlive(kept)
}

// engineObjects are the classes of which Python has objects, if they are an engine's.
func engineObjects(t *testing.T) []string {
	t.Helper()
	python, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	require.NoError(t, err)
	var names []string
	require.NoError(t, python.Do(t.Context(), func(py *pyembed.Py) error {
		module, err := py.Module("engine_objects", "engine_objects.py", `
import gc

def names():
    gc.unfreeze()  # what is frozen is neither collected nor listed
    gc.collect()
    found = {type(each).__name__ for each in gc.get_objects()}
    return sorted(found & {"LLM", "LLMEngine", "EngineCore", "CPUModelRunner", "GPUModelRunner", "LlamaForCausalLM"})
`)
		if err != nil {
			return err
		}
		result, err := module.CallMethod(py, "names")
		if err != nil {
			return err
		}
		return py.Into(result, &names)
	}))
	return names
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
	greedy := exactly(8)
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
	defer func() { _ = nvml.Shutdown() }()
	device, ret := nvml.DeviceGetHandleByIndex(0)
	require.Equal(t, nvml.SUCCESS, ret)
	info, ret := device.GetMemoryInfo()
	require.Equal(t, nvml.SUCCESS, ret)
	return info.Free
}
