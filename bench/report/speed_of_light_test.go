package report

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// opt125mSize is that of facebook/opt-125m: 12 layers of 12·768² and a head of 50272·768
// parameters.
var opt125mSize = journal.ModelSize{Layers: 12 * 12 * 768 * 768, Head: 50272 * 768}

// One request of one token after one: a step that reads all weights once, no KV cache.
func TestLightOfOneToken(t *testing.T) {
	args := vllmgo.EngineArgs{MaxNumSeqs: 256, MaxNumBatchedTokens: 2048}
	l := workOf(benchtest.Point(1, 1, 1), args, fake.OPT125M(), opt125mSize).light(journal.Limits{Bandwidth: 1e9, FLOPS: 1e9}, 1)
	weights := 2 * (84934656.0 + 38608896.0)
	assert.InDelta(t, weights/1e9, l.Memory.Seconds(), 1e-6)
	assert.InDelta(t, (weights+4*9216)/1e9, l.Arithmetic.Seconds(), 1e-6, "two operations for each parameter, and attention to itself")
	assert.Equal(t, "arithmetic", l.bound())
}

// By hand: 3 requests of 4 input and 5 output tokens, at most 2 sequences at once.
func TestLightByHand(t *testing.T) {
	// The model has 2 bytes of KV cache for a token.
	model := vllmgo.ModelConfig{NumLayers: 1, NumKVHeads: 1, NumAttentionHeads: 1, HeadDim: 1, DtypeBytes: 1}
	args := vllmgo.EngineArgs{MaxNumSeqs: 2, MaxNumBatchedTokens: 100}
	l := workOf(benchtest.Point(3, 4, 5), args, model, journal.ModelSize{Layers: 10, Head: 20}).light(journal.Limits{Bandwidth: 1, FLOPS: 1}, 2)
	// 15 tokens, 2 a step: 7.5 steps of 30 bytes. Decoding reads 5+6+7+8 tokens of KV for each
	// request.
	assert.Equal(t, (7.5*30+3*26*2)/2, l.Memory.Seconds())
	// 12 input tokens and 4 of each output pass the layers, 15 the head; attention looks at 1+2+3+4
	// and 5+6+7+8 tokens.
	assert.Equal(t, (2*10*24+2*20*15+4*(3*10+3*26))/2.0, l.Arithmetic.Seconds())

	args.MaxNumSeqs, args.MaxNumBatchedTokens = 100, 3
	l = workOf(benchtest.Point(3, 4, 5), args, model, journal.ModelSize{Layers: 10, Head: 20}).light(journal.Limits{Bandwidth: 1, FLOPS: 1}, 1)
	assert.Equal(t, 8.0*30+3*26*2, l.Memory.Seconds(), "24 tokens, 3 a step")
}

func TestLightInResults(t *testing.T) {
	measured := 0
	s := benchtest.Settings(t, &fake.Lab{})
	s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
	s.Resume, s.OneEngine = true, true
	s.ModelSize = &opt125mSize
	s.Limits = func(context.Context) (journal.Limits, error) {
		measured++
		return journal.Limits{Bandwidth: 25e9, FLOPS: 1e12}, nil
	}
	require.NoError(t, bench.Run(t.Context(), s))
	require.NoError(t, bench.Run(t.Context(), s))
	assert.Equal(t, 1, measured, "once for a run")
	r := resultsOf(t, s)
	require.True(t, r.Complete())
	for _, row := range r.rows() {
		assert.Equal(t, "memory", row.Light.bound())
		assert.InDelta(t, row.Light.Memory.Seconds()/row.Elapsed.Value.Seconds(), row.Light.Share, 1e-9)
		assert.InDelta(t, 1, row.Light.Share, 0.1, "the fake takes 10 ms a step, and so do the weights")
	}
	var b strings.Builder
	require.NoError(t, r.WriteReport(&b))
	assert.Contains(t, b.String(), "Limits of a device, as measured: memory 25.0 GB/s, matrix multiplication 1 TFLOP/s\n")
	assert.Contains(t, b.String(), "speed of light tok/s")

	s.Dir = t.TempDir()
	s.Limits = func(context.Context) (journal.Limits, error) { return journal.Limits{Bandwidth: 5e9, FLOPS: 1e12}, nil }
	require.NoError(t, bench.Run(t.Context(), s))
	require.NoError(t, bench.Run(t.Context(), s))
	for _, row := range resultsOf(t, s).rows() {
		assert.Contains(t, strings.Join(row.Notes, "\n"), "limits of the device were measured too low")
	}
	assert.NotContains(t, b.String(), "measured too low")

	s.Dir = t.TempDir()
	s.Limits = func(context.Context) (journal.Limits, error) { return journal.Limits{}, errors.New("no torch") }
	require.NoError(t, bench.Run(t.Context(), s))
	assert.Zero(t, resultsOf(t, s).rows()[0].Light)
}
