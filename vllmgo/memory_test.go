package vllmgo

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The messages are vLLM 0.32's and torch 2.13's, as they print them.
func TestMemoryAdvice(t *testing.T) {
	args := EngineArgs{GPUMemoryUtilization: 0.95, TensorParallelSize: 2}
	for message, want := range map[string]string{
		"ValueError: Free memory on device cuda:0 (21.18/79.11 GiB) on startup is less than desired GPU memory utilization " +
			"(0.95, 75.15 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.": "lower GPUMemoryUtilization to 0.26",
		"ValueError: Available memory on node 0 (3.0/24.0 GiB) on startup is less than desired CPU memory utilization " +
			"(0.95, 22.8 GiB).": "lower GPUMemoryUtilization to 0.12, or set KVCacheMemoryBytes",
		"ValueError: Available memory on node 0 (20.0/24.0 GiB) on kv cache allocation is less than requested memory for kv " +
			"(90.0 GiB).": "to 18 GiB",
		"ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is needed, which is " +
			"larger than the available KV cache memory (2.24 GiB). Based on the available memory, the estimated maximum model " +
			"length is 18336. Try increasing": "lower MaxModelLen from 131072 to 18336, or give the KV cache 13.8 GiB more",
		"max seq len (10), (16.0 GiB KV cache is needed, which is larger than the available KV cache memory (2.0 GiB). Try": "give the KV cache 14.0 GiB more",
		"ValueError: No available memory for the cache blocks. Try increasing":                                              "raise GPUMemoryUtilization (now 0.95), or set TensorParallelSize to 4",
		"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.11 GiB": "an allocation of 448.00 MiB " +
			"failed: lower GPUMemoryUtilization to 0.85",
		"RuntimeError: [enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to " +
			"allocate 107374182400 bytes. Error code 12": "an allocation of 100.0 GiB failed: lower KVCacheMemoryBytes",
	} {
		advice, found := adviseOnMemory(args, message)
		assert.True(t, found, message)
		assert.Contains(t, advice, want)
	}
	_, found := adviseOnMemory(args, "ValueError: something else")
	assert.False(t, found)
}

func TestCauses(t *testing.T) {
	assert.Equal(t, []string{"ValueError: bad (7)", "vllm.x.OddError: also"}, causesIn([]string{
		"(EngineCore pid=1) ERROR 11-24 16:05:31 [core.py:1] Traceback (most recent call last):",
		"(EngineCore pid=1) ERROR 11-24 16:05:31 [core.py:1] ValueError: bad (7)",
		"ValueError: bad (7)", "Process EngineCore:", "vllm.x.OddError: also",
	}))
	assert.Equal(t, []string{"Killed"}, causesIn([]string{"Killed"}), "the last lines, when there is no exception")
}

func TestWhyNotLoaded(t *testing.T) {
	logged := []string{"Triton is not installed", "(EngineCore pid=1) ValueError: bad (7)"}
	const failed = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): "
	assert.Equal(t, "vLLM: "+failed+"{'EngineCore_DP0': 1}; its process says:\n\tValueError: bad (7)",
		whyNotLoaded(failed+"{'EngineCore_DP0': 1}", logged))
	assert.Equal(t, "vLLM: "+failed+"{'EngineCore': -9}; signal 9 (killed) ended the engine's process, as the kernel does when "+
		"memory is short", whyNotLoaded(failed+"{'EngineCore': -9}", logged[:1]))
	assert.Equal(t, "vllmgo: a\ufffd[31mred", (&callError{"a\x1b[31mred", nil}).Error())
}
