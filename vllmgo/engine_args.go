package vllmgo

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
)

// EngineArgs are the settings of one engine. The names are vLLM's
// (https://docs.vllm.ai/en/latest/configuration/engine_args/).
//
// A zero field means vLLM's default: EngineArgs{Model: "facebook/opt-125m"} is complete. A field
// whose zero or false has another meaning is a pointer, and nil means the default; write new(0) or
// new(false).
type EngineArgs struct {
	// Model is a Hugging Face model ID or the path of a folder that holds a model. Required.
	Model string `json:"model"`
	// Tokenizer is the ID or path of the tokenizer; empty means the model's own.
	Tokenizer string `json:"tokenizer,omitzero"`
	// TokenizerMode is "auto" (default), "slow", "mistral", …; see vLLM's documentation.
	TokenizerMode string `json:"tokenizer_mode,omitzero"`
	// TokenizerRevision is the branch, tag or commit of the tokenizer.
	TokenizerRevision string `json:"tokenizer_revision,omitzero"`
	// SkipTokenizerInit loads no tokenizer: prompts must be token IDs, and outputs carry no text.
	SkipTokenizerInit bool `json:"skip_tokenizer_init,omitzero"`
	// Revision is the branch, tag or commit of the model.
	Revision string `json:"revision,omitzero"`
	// TrustRemoteCode lets a model run its own Python code. It is off by default.
	TrustRemoteCode bool `json:"trust_remote_code,omitzero"`

	// Dtype is the type of weights and activations: "auto" (default), "bfloat16", "float16",
	// "float32", ….
	Dtype string `json:"dtype,omitzero"`
	// LoadFormat is how weights are loaded: "auto" (default), "safetensors", …; "dummy" fills
	// them at random.
	LoadFormat string `json:"load_format,omitzero"`
	// Quantization is the quantization method; empty means that of the model's configuration.
	Quantization string `json:"quantization,omitzero"`
	// MaxModelLen is the longest sequence, prompt and output together, in tokens; 0 means the
	// model's own.
	MaxModelLen int `json:"max_model_len,omitzero"`
	// MaxLogprobs is the most logprobs that a request may ask for; 0 means vLLM's default (20), -1
	// no limit.
	MaxLogprobs int `json:"max_logprobs,omitzero"`
	// Runner is what the model is loaded for: "generate", "pooling" (embeddings, classes, rewards),
	// or "auto" (default), which follows the model's architecture.
	Runner string `json:"runner,omitzero"`
	// Convert adapts a model to the runner: "embed", "classify", "none", or "auto" (default).
	Convert string `json:"convert,omitzero"`
	// HFOverrides replaces entries of the model's configuration.
	HFOverrides map[string]any `json:"hf_overrides,omitzero"`
	// EnforceEager switches CUDA graphs and torch.compile off.
	EnforceEager bool `json:"enforce_eager,omitzero"`
	// Seed seeds sampling; nil means vLLM's default (0).
	Seed *int `json:"seed,omitzero"`

	// TensorParallelSize is the number of devices (on a CPU: ranks) that each layer is split over;
	// 0 means 1. It must divide the model's attention heads, vocabulary (rounded up to 64s) and
	// intermediate size, and divide the KV heads or be a multiple of them.
	TensorParallelSize int `json:"tensor_parallel_size,omitzero"`
	// PipelineParallelSize is the number of stages that the layers are split into; 0 means 1.
	PipelineParallelSize int `json:"pipeline_parallel_size,omitzero"`
	// DistributedExecutorBackend is "mp", "ray" or "uni"; empty lets vLLM choose.
	DistributedExecutorBackend string `json:"distributed_executor_backend,omitzero"`

	// DataParallelSize is the number of engines, each with a copy of the model, among which the
	// prompts are divided; 0 means 1. See the package's documentation.
	DataParallelSize int `json:"data_parallel_size,omitzero"`
	// DataParallelBackend is where those engines run: "mp" (default), on this machine.
	DataParallelBackend string `json:"data_parallel_backend,omitzero"`

	// GPUMemoryUtilization is the fraction of the device's memory, in (0, 1], that the engine may
	// use; on a CPU, of the machine's memory. 0 means vLLM's default. KVCacheMemoryBytes overrides
	// it. Engines that share a device have so much together.
	GPUMemoryUtilization float64 `json:"gpu_memory_utilization,omitzero"`
	// KVCacheMemoryBytes is the size of the KV cache for each device, in bytes; 0 means that vLLM
	// derives it from GPUMemoryUtilization. On a CPU, the environment's VLLM_CPU_KVCACHE_SPACE
	// (GiB) overrides it. Engines that share a device have so much together; the variable holds for
	// each.
	KVCacheMemoryBytes int64 `json:"kv_cache_memory_bytes,omitzero"`
	// KVCacheDtype is the type of KV-cache entries: "auto" (default), "fp8", ….
	KVCacheDtype string `json:"kv_cache_dtype,omitzero"`
	// BlockSize is the number of tokens in a KV-cache block; 0 means the platform's default.
	BlockSize int `json:"block_size,omitzero"`
	// CPUOffloadGB is the amount of weights to keep in the CPU's memory for each GPU, in GiB.
	CPUOffloadGB float64 `json:"cpu_offload_gb,omitzero"`
	// EnableSleepMode makes [LLM.Sleep] possible. GPUs only.
	EnableSleepMode bool `json:"enable_sleep_mode,omitzero"`
	// EnablePrefixCaching reuses the KV cache of common prefixes; nil means vLLM's default (on).
	EnablePrefixCaching *bool `json:"enable_prefix_caching,omitzero"`

	// MaxNumBatchedTokens is the most tokens that one step processes; 0 means vLLM's default for
	// the device.
	MaxNumBatchedTokens int `json:"max_num_batched_tokens,omitzero"`
	// MaxNumSeqs is the most sequences that one step processes; 0 means vLLM's default for the
	// device.
	MaxNumSeqs int `json:"max_num_seqs,omitzero"`
	// SchedulingPolicy is "fcfs" (default: first come, first served) or "priority", which
	// [Prompt].Priority needs.
	SchedulingPolicy string `json:"scheduling_policy,omitzero"`
	// EnableChunkedPrefill splits long prompts over several steps; nil means vLLM's default.
	EnableChunkedPrefill *bool `json:"enable_chunked_prefill,omitzero"`
	// AsyncScheduling overlaps scheduling with execution; nil means vLLM's default.
	AsyncScheduling *bool `json:"async_scheduling,omitzero"`
	// DisableLogStats switches the engine's statistics off; nil means LLM's default (true).
	// [LLM.Metrics] and [RequestOutput].Metrics need them.
	DisableLogStats *bool `json:"disable_log_stats,omitzero"`

	// EnableLoRA makes LoRA adapters possible; see [LoRA].
	EnableLoRA bool `json:"enable_lora,omitzero"`
	// MaxLoRAs is the most adapters in one batch; 0 means vLLM's default (1).
	MaxLoRAs int `json:"max_loras,omitzero"`
	// MaxLoRARank is the highest rank of an adapter; 0 means vLLM's default (16).
	MaxLoRARank int `json:"max_lora_rank,omitzero"`
	// MaxCPULoRAs is the most adapters kept in the CPU's memory; 0 means MaxLoRAs.
	MaxCPULoRAs int `json:"max_cpu_loras,omitzero"`

	// Extra holds every other argument of vLLM's EngineArgs by its Python name. Values may be nil,
	// bool, integers, floats, strings, and slices and string-keyed maps of those. A name that the
	// installed vLLM does not know is an error before anything loads.
	Extra map[string]any `json:"-"`

	// EngineMode is where the engine runs. In Python it is the variable
	// VLLM_ENABLE_V1_MULTIPROCESSING.
	EngineMode EngineMode `json:"-"`
}

// EngineMode is the process in which the engine core runs.
type EngineMode string

const (
	// EngineModeAuto is the zero value. It means [OwnProcess] on a GPU and on a large CPU. It is
	// [InProcess] on a CPU of at most four cores, for which a second process would compete with the
	// model.
	EngineModeAuto EngineMode = ""
	// OwnProcess runs the engine core in its own process, as vLLM does by default. Closing it gives
	// all its memory back.
	OwnProcess EngineMode = "own-process"
	// InProcess runs the engine core in the Go process. Not all its memory comes back on Close
	// (https://github.com/vllm-project/vllm/issues/21073).
	InProcess EngineMode = "in-process"
)

// engineArgs is EngineArgs without its methods.
type engineArgs EngineArgs

// MarshalJSON returns one object of everything that is set: the typed fields and Extra under vLLM's
// names, and EngineMode as engine_mode.
func (a EngineArgs) MarshalJSON() ([]byte, error) {
	return marshalWith(struct {
		engineArgs
		Mode EngineMode `json:"engine_mode,omitzero"`
	}{engineArgs(a), a.EngineMode}, a.Extra, "EngineArgs")
}

// UnmarshalJSON reads what MarshalJSON returns. Names without a field go to Extra, with
// json.RawMessage values.
func (a *EngineArgs) UnmarshalJSON(data []byte) error {
	var typed struct {
		engineArgs
		Mode EngineMode `json:"engine_mode"`
	}
	if err := json.Unmarshal(data, &typed); err != nil {
		return fmt.Errorf("EngineArgs: %w", err)
	}
	*a = EngineArgs(typed.engineArgs)
	a.EngineMode = typed.Mode
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("EngineArgs: %w", err)
	}
	for name := range jsonNames(reflect.TypeFor[EngineArgs]()) {
		delete(all, name)
	}
	delete(all, "engine_mode")
	if len(all) > 0 {
		a.Extra = map[string]any{}
	}
	for name, value := range all {
		a.Extra[name] = value // as it stands: large integers keep every digit
	}
	return nil
}

// jsonNames returns the names that a struct's fields have in JSON.
func jsonNames(t reflect.Type) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name != "-" && !yield(name) {
				return
			}
		}
	}
}

// kwargs returns the arguments for vllm.LLM as a JSON object: the typed fields that are set, and
// Extra.
func (a EngineArgs) kwargs() (string, error) {
	if a.Model == "" {
		return "", errors.New("vllmgo: EngineArgs.Model is empty: name a model or a folder that holds one")
	}
	switch a.EngineMode {
	case EngineModeAuto, OwnProcess, InProcess:
	default:
		return "", fmt.Errorf("vllmgo: EngineMode %q is neither %q nor %q", a.EngineMode, OwnProcess, InProcess)
	}
	encoded, err := marshalWith(engineArgs(a), a.Extra, "EngineArgs")
	if err != nil {
		return "", fmt.Errorf("vllmgo: %w", err)
	}
	return string(encoded), nil
}
