package engines

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

const (
	// cpuBlockSize is the number of tokens in a KV-cache block on a CPU (vllm/platforms/cpu.py),
	// unless EngineArgs.BlockSize says otherwise.
	cpuBlockSize = 128
	// marginBlocks is the number of blocks added to the peak demand. vLLM keeps one block for
	// itself, the null block (vllm/v1/core/block_pool.py), and one is spare.
	marginBlocks = 2
	// kvSpaceVariable is the environment variable that overrides EngineArgs.KVCacheMemoryBytes on a
	// CPU, in whole GiB for each rank (vllm/platforms/cpu.py).
	kvSpaceVariable = "VLLM_CPU_KVCACHE_SPACE"
)

// WithCPUCache returns args with the KV cache that points need on a CPU, on this machine and in
// this environment, for a model in the dtype of args. The notice describes the choice.
func WithCPUCache(
	args vllmgo.EngineArgs,
	points []workload.Point,
	model vllmgo.ModelConfig,
) (vllmgo.EngineArgs, string, error) {
	available, err := machine.AvailableMemory()
	if err != nil {
		return args, "", err
	}
	return planCPUCache(args, points, model.WithDtype(args.Dtype), available, os.Getenv(kvSpaceVariable))
}

// planCPUCache returns args with a KV cache that suffices for the most demanding of the points. On
// a CPU, gpu_memory_utilization would take that fraction of the machine's memory. available is the
// available memory, in bytes, and space the value of VLLM_CPU_KVCACHE_SPACE. The notice says what
// was chosen.
//
// vLLM refuses a cache that does not hold one sequence of max_model_len. A model whose longest
// sequence needs more cache than the points therefore gets a max_model_len of the longest point.
//
// Each of the replicas gets a cache that suffices for all requests, though it has a part of them.
//
// A cache that does not fit is an error, and so is a space that does not suffice. The weights are
// not part of the check, since the model's configuration does not have their size.
func planCPUCache(
	args vllmgo.EngineArgs,
	points []workload.Point,
	model vllmgo.ModelConfig,
	available uint64,
	space string,
) (vllmgo.EngineArgs, string, error) {
	ranks, replicas := max(1, args.TensorParallelSize), int64(max(1, args.DataParallelSize))
	perToken := kvBytesPerTokenAndRank(model, ranks)
	if perToken == 0 {
		return args, "", errors.New("the model's configuration does not say how large its KV cache is")
	}
	need := newCacheDemand(args, points, perToken)
	size, err := need.choose(args.KVCacheMemoryBytes/replicas, space)
	if err != nil {
		return args, "", err
	}
	if space == "" {
		args.KVCacheMemoryBytes = size.bytes * replicas // which is what all have together
	}
	if total := uint64(size.bytes) * uint64(ranks) * uint64(replicas); total > available {
		return args, "", fmt.Errorf("the KV cache needs %s for %s, and %s of memory is available; %s",
			format.Bytes(int64(total)), format.Count(ranks*int(replicas), "rank"), format.Bytes(int64(available)), size.remedy)
	}
	if args.MaxModelLen == 0 && int64(model.MaxModelLen) > size.bytes/perToken {
		args.MaxModelLen = need.longest
		size.notice += fmt.Sprintf("; max_model_len %d, the longest point, instead of the model's %d, "+
			"whose cache would be larger", need.longest, model.MaxModelLen)
	}
	return args, size.notice, nil
}

// cacheDemand is what points demand of the KV cache of a rank.
type cacheDemand struct {
	point     workload.Point // the one that demands most
	tokens    int            // at its peak
	blockSize int
	bytes     int64 // with the spare blocks
	longest   int   // sequence of all points, in tokens
}

// newCacheDemand returns what points demand. perToken is the size of a token on a rank, in bytes.
func newCacheDemand(args vllmgo.EngineArgs, points []workload.Point, perToken int64) cacheDemand {
	d := cacheDemand{point: points[0], blockSize: cmp.Or(args.BlockSize, cpuBlockSize)}
	for _, p := range points {
		sequence, _ := p.Longest()
		d.longest = max(d.longest, sequence)
		if tokens := p.PeakKVTokens(args.MaxNumSeqs, d.blockSize); tokens > d.tokens {
			d.point, d.tokens = p, tokens
		}
	}
	d.bytes = int64(d.allTokens()) * perToken
	return d
}

// allTokens returns the tokens of the demand and of the spare blocks.
func (d cacheDemand) allTokens() int { return d.tokens + marginBlocks*d.blockSize }

// cacheSize is the size of the KV cache of a rank.
type cacheSize struct {
	bytes  int64
	notice string // how it was chosen
	remedy string // what to do when it does not fit
}

// choose returns the size of the cache: that of the environment or, when it is 0, the given one or,
// when that is 0, what the points demand.
func (d cacheDemand) choose(given int64, space string) (cacheSize, error) {
	switch {
	case space != "":
		return d.fromEnvironment(space)
	case given > 0:
		return cacheSize{given, fmt.Sprintf("KV cache of %s a rank, as given", format.Bytes(given)), "give less"}, nil
	}
	return cacheSize{
		bytes: d.bytes,
		notice: fmt.Sprintf("KV cache of %s a rank for the %d tokens that %s demands at its peak, "+
			"and %d spare blocks of %d tokens",
			format.Bytes(d.bytes), d.tokens, d.point, marginBlocks, d.blockSize),
		remedy: "free memory, or take the preset quick, a smaller model or a smaller dtype",
	}, nil
}

// fromEnvironment returns the size that VLLM_CPU_KVCACHE_SPACE gives.
func (d cacheDemand) fromEnvironment(space string) (cacheSize, error) {
	gib, err := strconv.ParseInt(space, 10, 32)
	if err != nil || gib < 1 {
		return cacheSize{}, fmt.Errorf("%s=%q is not a whole number of GiB; correct or unset it", kvSpaceVariable, space)
	}
	bytes := gib << 30
	if bytes < d.bytes {
		return cacheSize{}, fmt.Errorf("%s=%s gives a KV cache of %s a rank, but %s needs %s (%d tokens); "+
			"raise it to %d or unset it",
			kvSpaceVariable, space, format.Bytes(bytes), d.point, format.Bytes(d.bytes), d.allTokens(), (d.bytes+1<<30-1)>>30)
	}
	return cacheSize{
		bytes: bytes,
		notice: fmt.Sprintf("KV cache of %s a rank, because the environment has %s=%s",
			format.Bytes(bytes), kvSpaceVariable, space),
		remedy: "lower or unset " + kvSpaceVariable,
	}, nil
}

// kvBytesPerTokenAndRank returns the size of the KV cache for one token on one rank, in bytes.
// Ranks share the heads. When there are more ranks than heads, each has a copy of one.
func kvBytesPerTokenAndRank(m vllmgo.ModelConfig, ranks int) int64 {
	if m.NumKVHeads == 0 {
		return 0
	}
	return m.KVBytesPerToken() / int64(m.NumKVHeads) * int64(max(1, m.NumKVHeads/ranks))
}
