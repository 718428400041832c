package engines

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

const gib = 1 << 30

func TestPlanCPUCache(t *testing.T) {
	points := []workload.Point{point(2, 32, 32), point(64, 512, 512), point(64, 32, 32)}
	base := vllmgo.EngineArgs{MaxNumSeqs: 256}
	args, notice, err := planCPUCache(base, points, fake.OPT125M(), 4*gib, "")
	require.NoError(t, err)
	assert.Equal(t, int64(9*gib/4+2*128*36864), args.KVCacheMemoryBytes)
	assert.Zero(t, args.MaxModelLen)
	assert.Contains(t, notice, "65536 tokens that batch size 64 demands")

	_, _, err = planCPUCache(base, points, fake.OPT125M(), 2*gib, "")
	assert.ErrorContains(t, err, "needs 2.26 GiB for 1 rank, and 2.00 GiB of memory is available; free memory")

	base.TensorParallelSize = 2
	args, _, err = planCPUCache(base, points, fake.OPT125M(), 4*gib, "")
	require.NoError(t, err)
	assert.Equal(t, int64(9*gib/4+2*128*36864)/2, args.KVCacheMemoryBytes, "for each rank")
	_, _, err = planCPUCache(base, points, fake.OPT125M(), 2*gib, "")
	assert.ErrorContains(t, err, "needs 2.26 GiB for 2 ranks", "ranks share the machine's memory")

	base.BlockSize = 32
	args, _, err = planCPUCache(base, points[:1], fake.OPT125M(), gib, "")
	require.NoError(t, err)
	assert.Equal(t, int64(2*64+2*32)*36864/2, args.KVCacheMemoryBytes)
	assert.Equal(t, 64, args.MaxModelLen, "a cache of 192 tokens cannot hold the model's 2048")
}

func TestPlanCPUCacheHeads(t *testing.T) {
	model := fake.OPT125M()
	model.NumKVHeads = 1
	assert.Equal(t, model.KVBytesPerToken(), kvBytesPerTokenAndRank(model, 4), "a head is copied to each rank")
	_, _, err := planCPUCache(vllmgo.EngineArgs{MaxNumSeqs: 1}, []workload.Point{point(1, 1, 1)}, vllmgo.ModelConfig{}, gib, "")
	assert.ErrorContains(t, err, "does not say how large its KV cache is")
}

func TestPlanCPUCacheGiven(t *testing.T) {
	points := []workload.Point{point(64, 512, 512)}
	args, notice, err := planCPUCache(vllmgo.EngineArgs{MaxNumSeqs: 256, KVCacheMemoryBytes: gib}, points, fake.OPT125M(), 4*gib, "")
	require.NoError(t, err)
	assert.Equal(t, int64(gib), args.KVCacheMemoryBytes)
	assert.Equal(t, "KV cache of 1.00 GiB a rank, as given", notice)
}

func TestPlanCPUCacheSpace(t *testing.T) {
	points := []workload.Point{point(64, 512, 512)}
	base := vllmgo.EngineArgs{MaxNumSeqs: 256}
	args, notice, err := planCPUCache(base, points, fake.OPT125M(), 4*gib, "3")
	require.NoError(t, err)
	assert.Zero(t, args.KVCacheMemoryBytes, "the environment overrides it")
	assert.Contains(t, notice, "VLLM_CPU_KVCACHE_SPACE=3")

	_, _, err = planCPUCache(base, points, fake.OPT125M(), 4*gib, "2")
	assert.ErrorContains(t, err, "VLLM_CPU_KVCACHE_SPACE=2 gives a KV cache of 2.00 GiB a rank, but batch size 64 needs 2.26 GiB (65792 tokens); raise it to 3 or unset it")
	_, _, err = planCPUCache(base, points, fake.OPT125M(), 4*gib, "5")
	assert.ErrorContains(t, err, "lower or unset VLLM_CPU_KVCACHE_SPACE")
	for _, space := range []string{"lots", "0", "1.5"} {
		_, _, err = planCPUCache(base, points, fake.OPT125M(), 4*gib, space)
		assert.ErrorContains(t, err, "not a whole number of GiB")
	}
}

func TestWithDtype(t *testing.T) {
	for dtype, bytes := range map[string]int64{"": 36864, "auto": 36864, "half": 36864, "float32": 73728} {
		assert.Equal(t, bytes, fake.OPT125M().WithDtype(dtype).KVBytesPerToken(), dtype)
	}
}

// point returns a point of so many requests.
func point(requests, inputLen, outputLen int) workload.Point {
	return workload.Point{Study: string(workload.BatchSize), Value: requests, Requests: requests, InputLen: inputLen, OutputLen: outputLen}
}
