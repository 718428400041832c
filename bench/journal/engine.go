package journal

import (
	"time"

	"vllmgo/vllmgo"
)

// Engine is an engine that opened.
type Engine struct {
	// Number counts the engines of the run from 1, including those that did not open.
	Number int `json:"engine"`
	// Args are the engine's settings.
	Args vllmgo.EngineArgs `json:"args"`
	// Info describes the engine, with the versions of vLLM, torch and Python.
	Info vllmgo.Info `json:"info"`
	// LoadTime is the time that opening took. Info.LoadTime is the part of vllm.LLM.
	LoadTime time.Duration `json:"load_time_ns"`
	// HostMemory is what loading added to the resident memory of the process and its descendants,
	// in bytes. A page that several share is counted for each of them. An in-process engine adds
	// less when an engine before it left memory to reuse.
	HostMemory int64 `json:"host_memory_bytes"`
	// GPUMemory is what loading added to the memory in use on all GPUs of the machine, in bytes;
	// nil without NVML. vLLM reserves gpu_memory_utilization of a GPU, whatever the size of the
	// model.
	GPUMemory *int64 `json:"gpu_memory_bytes,omitempty"`
	// GPUs are the GPUs that the engine runs on, numbered as by NVML: those on which loading took
	// memory.
	GPUs []int `json:"gpus,omitempty"`
	// OtherGPUProcesses is the number of foreign processes on the machine's GPUs before loading.
	OtherGPUProcesses int `json:"other_gpu_processes,omitempty"`
	// OtherLoadAverage is the machine's load average over the minute before loading, without this
	// process. For later engines of a run it includes the earlier ones.
	OtherLoadAverage float64 `json:"other_load_average,omitempty"`
	// Notice describes how the size of the KV cache was chosen; empty when vLLM chose it.
	Notice string `json:"notice,omitempty"`
}
