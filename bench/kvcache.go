package bench

import (
	"fmt"
	"strconv"

	"vllmgo/bench/workload"
	"vllmgo/internal/format"
	"vllmgo/vllmgo"
)

const (
	// cpuBlockSize is the number of tokens in a KV-cache block on a CPU (vllm/platforms/cpu.py), unless
	// EngineArgs.BlockSize says otherwise.
	cpuBlockSize = 128
	// marginBlocks is the number of blocks added to the peak demand. vLLM keeps one block for itself, the null
	// block (vllm/v1/core/block_pool.py), and one is spare.
	marginBlocks = 2
	// kvSpaceVariable is the environment variable that overrides EngineArgs.KVCacheMemoryBytes on a CPU, in whole
	// GiB for each rank (vllm/platforms/cpu.py).
	kvSpaceVariable = "VLLM_CPU_KVCACHE_SPACE"
)

// planCPUCache returns args with a KV cache that suffices for the most demanding of the points. On a CPU,
// gpu_memory_utilization would take that fraction of the machine's memory. available is the available memory, in
// bytes, and space the value of VLLM_CPU_KVCACHE_SPACE. The notice says what was chosen.
//
// vLLM refuses a cache that does not hold one sequence of max_model_len. A model whose longest sequence needs more
// cache than the points therefore gets a max_model_len of the longest point.
//
// A cache that does not fit is an error, and so is a space that does not suffice. The weights are not part of the
// check, since the model's configuration does not have their size.
func planCPUCache(args vllmgo.EngineArgs, points []workload.Point, model vllmgo.ModelConfig, available uint64, space string) (vllmgo.EngineArgs, string, error) {
	blockSize := cpuBlockSize
	if args.BlockSize > 0 {
		blockSize = args.BlockSize
	}
	ranks := max(1, args.TensorParallelSize)
	perToken := kvBytesPerTokenAndRank(model, ranks)
	if perToken == 0 {
		return args, "", fmt.Errorf("the model's configuration does not say how large its KV cache is")
	}

	largest, longest, demand := points[0], 0, 0
	for _, p := range points {
		sequence, _ := p.Longest()
		longest = max(longest, sequence)
		if d := p.PeakKVTokens(args.MaxNumSeqs, blockSize); d > demand {
			largest, demand = p, d
		}
	}
	needTokens := demand + marginBlocks*blockSize
	need := int64(needTokens) * perToken

	var bytes int64
	var notice, remedy string
	switch {
	case space != "":
		gib, err := strconv.ParseInt(space, 10, 32)
		if err != nil || gib < 1 {
			return args, "", fmt.Errorf("%s=%q is no whole number of GiB; correct or unset it", kvSpaceVariable, space)
		}
		bytes = gib << 30
		notice = fmt.Sprintf("KV cache of %s a rank, because the environment has %s=%s", format.Bytes(bytes), kvSpaceVariable, space)
		remedy = "lower or unset " + kvSpaceVariable
		if bytes < need {
			return args, "", fmt.Errorf("%s=%s gives a KV cache of %s a rank, but %s needs %s (%d tokens); raise it to %d or unset it",
				kvSpaceVariable, space, format.Bytes(bytes), largest, format.Bytes(need), needTokens, (need+1<<30-1)>>30)
		}
	case args.KVCacheMemoryBytes > 0:
		bytes = args.KVCacheMemoryBytes
		notice = fmt.Sprintf("KV cache of %s a rank, as given", format.Bytes(bytes))
		remedy = "give less"
	default:
		bytes = need
		args.KVCacheMemoryBytes = need
		notice = fmt.Sprintf("KV cache of %s a rank for the %d tokens that %s demands at its peak, and %d spare blocks of %d tokens",
			format.Bytes(need), demand, largest, marginBlocks, blockSize)
		remedy = "free memory, or take the preset quick, a smaller model or a smaller dtype"
	}

	if total := uint64(bytes) * uint64(ranks); total > available {
		return args, "", fmt.Errorf("the KV cache needs %s for %s, and %s of memory is available; %s",
			format.Bytes(int64(total)), format.Count(ranks, "rank"), format.Bytes(int64(available)), remedy)
	}
	if args.MaxModelLen == 0 && int64(model.MaxModelLen) > bytes/perToken {
		args.MaxModelLen = longest
		notice += fmt.Sprintf("; max_model_len %d, the longest point, instead of the model's %d, whose cache would be larger", longest, model.MaxModelLen)
	}
	return args, notice, nil
}

// kvBytesPerTokenAndRank returns the size of the KV cache for one token on one rank, in bytes. Ranks share the
// heads. When there are more ranks than heads, each has a copy of one.
func kvBytesPerTokenAndRank(m vllmgo.ModelConfig, ranks int) int64 {
	if m.NumKVHeads == 0 {
		return 0
	}
	return m.KVBytesPerToken() / int64(m.NumKVHeads) * int64(max(1, m.NumKVHeads/ranks))
}
