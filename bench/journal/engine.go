package journal

import (
	"time"

	"vllmgo/vllmgo"
)

// Engine is one engine that opened.
type Engine struct {
	// Number counts the run's engines from 1, those that failed to open included.
	Number int `json:"engine"`
	// Args are its settings.
	Args vllmgo.EngineArgs `json:"args"`
	// Info is what the engine says about itself, vLLM's, torch's and Python's versions included.
	Info vllmgo.Info `json:"info"`
	// LoadTime is the time that opening took, all told; Info.LoadTime is vllm.LLM's part of it.
	LoadTime time.Duration `json:"load_time_ns"`
	// HostMemory is what loading added to the resident memory of this process and all its descendants, in
	// bytes. Pages that they share count once for each. In process it is less than the engine's size when
	// an engine before it left memory to reuse.
	HostMemory int64 `json:"host_memory_bytes"`
	// GPUMemory is what loading added to the memory in use on all the machine's GPUs, in bytes; nil when
	// there is no NVML. vLLM reserves gpu_memory_utilization of a GPU, whatever the model's size.
	GPUMemory *int64 `json:"gpu_memory_bytes,omitempty"`
	// GPUs are the numbers, in NVML's order, of the GPUs that it runs on: those on which loading took memory. What
	// the others do counts for no trial.
	GPUs []int `json:"gpus,omitempty"`
	// OtherGPUProcesses is the number of others' processes that computed on the machine's GPUs before it was loaded.
	OtherGPUProcesses int `json:"other_gpu_processes,omitempty"`
	// OtherLoadAverage is the machine's load average over the minute before it was loaded, less what this process did.
	// For a run's later engines it has the earlier ones in it.
	OtherLoadAverage float64 `json:"other_load_average,omitempty"`
	// Notice says how the KV cache's size was chosen; empty when vLLM chose it.
	Notice string `json:"notice,omitempty"`
}
