package vllmgo

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// The messages of an engine that does not get the memory it needs, and what to do about each. The
// texts are vLLM's (vllm/v1/worker/utils.py, vllm/v1/core/kv_cache_utils.py,
// vllm/v1/worker/cpu_worker.py) and torch's.
var memoryAdvice = []struct {
	message *regexp.Regexp
	advice  func(args EngineArgs, found []string) string
}{
	{
		// The engine's share of the device is not free.
		regexp.MustCompile(`Free memory on device \S+ \(([\d.]+)/([\d.]+) GiB\) on startup is less than`),
		func(_ EngineArgs, found []string) string {
			return fmt.Sprintf("other processes use the device: end them, or lower GPUMemoryUtilization to %s",
				share(found[1], found[2]))
		},
	},
	{
		regexp.MustCompile(`Available memory on node \S+ \(([\d.]+)/([\d.]+) GiB\) on startup is less than`),
		func(_ EngineArgs, found []string) string {
			return fmt.Sprintf("lower GPUMemoryUtilization to %s, or set KVCacheMemoryBytes", share(found[1], found[2]))
		},
	},
	{
		regexp.MustCompile(`Available memory on node \S+ \(([\d.]+)/[\d.]+ GiB\) on kv cache`),
		func(_ EngineArgs, found []string) string {
			return fmt.Sprintf("lower KVCacheMemoryBytes (or the environment's VLLM_CPU_KVCACHE_SPACE, in GiB) to %.0f GiB",
				math.Floor(0.9*number(found[1])))
		},
	},
	{
		// The longest sequence does not fit into the KV cache.
		regexp.MustCompile(`max seq len \((\d+)\), \(([\d.]+) GiB KV cache is needed, which is larger than the available ` +
			`KV cache memory \(([\d.]+) GiB\)\.` +
			`(?: Based on the available memory, the estimated maximum model length is (\d+))?`),
		func(_ EngineArgs, found []string) string {
			more := fmt.Sprintf("give the KV cache %.1f GiB more (GPUMemoryUtilization, KVCacheMemoryBytes; on a CPU, "+
				"VLLM_CPU_KVCACHE_SPACE)", math.Ceil(10*(number(found[2])-number(found[3])))/10)
			if found[4] == "" {
				return more
			}
			return fmt.Sprintf("lower MaxModelLen from %s to %s, or %s", found[1], found[4], more)
		},
	},
	{
		regexp.MustCompile(`No available memory for the cache blocks`),
		func(args EngineArgs, _ []string) string {
			return fmt.Sprintf("the weights leave no room for the KV cache: raise GPUMemoryUtilization%s, or set "+
				"TensorParallelSize to %d", was(args.GPUMemoryUtilization), 2*max(args.TensorParallelSize, 1))
		},
	},
	{
		regexp.MustCompile(`CUDA out of memory\. Tried to allocate ([\d.]+ \w+)`),
		func(args EngineArgs, found []string) string {
			lower := args.GPUMemoryUtilization
			if lower == 0 {
				lower = 0.9 // what vLLM takes, about
			}
			return fmt.Sprintf("an allocation of %s failed: lower GPUMemoryUtilization to %.2f if other programs use the "+
				"GPU or graphs are being captured, or set TensorParallelSize to %d or a Quantization if the weights do not fit",
				found[1], math.Max(0.1, lower-0.1), 2*max(args.TensorParallelSize, 1))
		},
	},
	{
		regexp.MustCompile(`DefaultCPUAllocator: can't allocate memory: you tried to allocate (\d+) bytes`),
		func(_ EngineArgs, found []string) string {
			return fmt.Sprintf("an allocation of %.1f GiB failed: lower KVCacheMemoryBytes (or the environment's "+
				"VLLM_CPU_KVCACHE_SPACE) by as much, or take a smaller Dtype", number(found[1])/(1<<30))
		},
	},
}

// adviseOnMemory returns what to do about the message of an engine without enough memory; false for
// other messages.
func adviseOnMemory(args EngineArgs, message string) (string, bool) {
	for _, known := range memoryAdvice {
		if found := known.message.FindStringSubmatch(message); found != nil {
			return known.advice(args, found), true
		}
	}
	return "", false
}

// share returns the free part of total, rounded down to hundredths.
func share(free, total string) string {
	return fmt.Sprintf("%.2f", math.Floor(100*number(free)/number(total))/100)
}

func was(value float64) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf(" (now %g)", value)
}

// number returns the value of a text that a pattern has matched as a number.
func number(text string) float64 {
	value, _ := strconv.ParseFloat(text, 64)
	return value
}
