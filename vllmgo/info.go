package vllmgo

import (
	"fmt"
	"time"
)

// Info describes a loaded engine: what was installed, what was chosen, and what loading cost.
type Info struct {
	VLLMVersion   string `json:"vllm_version"`
	TorchVersion  string `json:"torch_version"`
	PythonVersion string `json:"python_version"`

	// Device is vLLM's name for the platform: "cuda", "cpu", ….
	Device string `json:"device"`
	// DeviceName is the device's product name, such as "NVIDIA H100 80GB HBM3".
	DeviceName string `json:"device_name"`
	// EngineMode is [OwnProcess] or [InProcess], never auto.
	EngineMode EngineMode `json:"engine_mode"`

	Model      string `json:"model"`
	Dtype      string `json:"dtype"`
	LoadFormat string `json:"load_format"`
	// Runner is "generate" or "pooling".
	Runner             string `json:"runner"`
	TensorParallelSize int    `json:"tensor_parallel_size"`
	// DataParallelSize is the number of engines, each in a process of its own; 0 for one engine in
	// this process or started by it. What follows describes one of them, but for KVCacheTokens, a
	// sum, and LoadTime, the longest.
	DataParallelSize int `json:"data_parallel_size,omitzero"`
	// Placement has for each of the engines the GPUs that it runs on, as in CUDA_VISIBLE_DEVICES,
	// or the cores, as in VLLM_CPU_OMP_THREADS_BIND.
	Placement []string `json:"placement,omitzero"`
	// MPS is true when NVIDIA's Multi-Process Service runs, with which engines that share a GPU use
	// it at the same time.
	MPS bool `json:"mps,omitzero"`
	// CPUThreads are the cores of each rank on a CPU, as in VLLM_CPU_OMP_THREADS_BIND, with "|"
	// between ranks; empty if vLLM chose them.
	CPUThreads string `json:"cpu_threads,omitzero"`
	// VocabSize is the number of token IDs that the model knows.
	VocabSize int `json:"vocab_size,omitzero"`
	// MaxModelLen is the longest sequence, in tokens.
	MaxModelLen         int    `json:"max_model_len"`
	MaxNumSeqs          int    `json:"max_num_seqs"`
	MaxNumBatchedTokens int    `json:"max_num_batched_tokens"`
	SchedulingPolicy    string `json:"scheduling_policy"`
	EnablePrefixCaching bool   `json:"enable_prefix_caching"`
	KVCacheDtype        string `json:"kv_cache_dtype"`
	// BlockSize is the number of tokens in a KV-cache block.
	BlockSize int `json:"block_size"`
	// KVCacheTokens is the number of tokens that the KV cache holds.
	KVCacheTokens int `json:"kv_cache_tokens"`
	// LoadTime is the time from the call of vllm.LLM to its return.
	LoadTime time.Duration `json:"load_time_ns"`
}

// ModelConfig describes a model by its configuration file alone, without loading it.
type ModelConfig struct {
	// VocabSize is the number of token IDs that the model knows.
	VocabSize int
	// SpecialTokenIDs are the IDs for the beginning, the end, padding and so on that the
	// configuration names, ascending.
	SpecialTokenIDs []int32
	// MaxModelLen is the longest sequence that the model was made for, in tokens.
	MaxModelLen int
	// NumLayers, NumKVHeads and HeadDim give the KV cache's size for a token:
	// 2 (K and V) × NumLayers × NumKVHeads × HeadDim × bytes of the dtype.
	NumLayers, NumKVHeads, HeadDim int
	// NumAttentionHeads must be divisible by the tensor-parallel size.
	NumAttentionHeads int
	// ModelType is the architecture's name in the configuration, such as "llama".
	ModelType string
	// HiddenSize is the width of the layers, IntermediateSize that of their feed-forward parts; 0
	// if the configuration names none.
	HiddenSize, IntermediateSize int
	// Dtype is the type that "auto" stands for on this machine, such as "bfloat16".
	Dtype string
	// DtypeBytes is the size of one value of Dtype.
	DtypeBytes int
}

// KVBytesPerToken returns the KV cache's size for one token, in bytes, over all devices.
func (c ModelConfig) KVBytesPerToken() int64 {
	return 2 * int64(c.NumLayers) * int64(c.NumKVHeads) * int64(c.HeadDim) * int64(c.DtypeBytes)
}

// Versions returns the versions of what was installed, such as "vLLM 0.32.0, torch 2.11.0+cu130,
// Python 3.12.3".
func (i Info) Versions() string {
	return fmt.Sprintf("vLLM %s, torch %s, Python %s", i.VLLMVersion, i.TorchVersion, i.PythonVersion)
}
