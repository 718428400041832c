package vllmgo

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKwargsHoldWhatIsSet(t *testing.T) {
	kwargs, err := EngineArgs{
		Model: "m", TensorParallelSize: 2, Seed: new(0), EnablePrefixCaching: new(false),
		KVCacheMemoryBytes: 1<<53 + 1, EngineMode: InProcess,
		Extra: map[string]any{"hf_overrides": map[string]any{"a": []int{1}}, "max_logprobs": nil},
	}.kwargs()
	require.NoError(t, err)
	assert.JSONEq(t, `{"model": "m", "tensor_parallel_size": 2, "seed": 0, "enable_prefix_caching": false,
		"kv_cache_memory_bytes": 9007199254740993, "hf_overrides": {"a": [1]}, "max_logprobs": null}`, kwargs)
	assert.Contains(t, kwargs, "9007199254740993", "large integers keep every digit")
}

func TestKwargsRefuse(t *testing.T) {
	for message, args := range map[string]EngineArgs{
		"EngineArgs.Model is empty":            {},
		`EngineMode "x" is neither`:            {Model: "m", EngineMode: "x"},
		"sets dtype twice":                     {Model: "m", Dtype: "auto", Extra: map[string]any{"dtype": "half"}},
		`EngineArgs.Extra["worker_cls"]: json`: {Model: "m", Extra: map[string]any{"worker_cls": func() {}}},
	} {
		_, err := args.kwargs()
		assert.ErrorContains(t, err, message)
	}
}

func TestEngineArgsInJSON(t *testing.T) {
	args := EngineArgs{
		Model: "m", Seed: new(0), DisableLogStats: new(false), EngineMode: OwnProcess,
		Extra: map[string]any{"max_logprobs_bytes": 1<<53 + 1, "speculative_config": nil},
	}
	encoded, err := json.Marshal(args)
	require.NoError(t, err)
	assert.JSONEq(t, `{"model": "m", "seed": 0, "disable_log_stats": false, "engine_mode": "own-process",
		"max_logprobs_bytes": 9007199254740993, "speculative_config": null}`, string(encoded))
	var decoded EngineArgs
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	want, err := args.kwargs()
	require.NoError(t, err)
	got, err := decoded.kwargs()
	require.NoError(t, err)
	assert.JSONEq(t, want, got)
	assert.Contains(t, got, "9007199254740993")
	assert.Equal(t, OwnProcess, decoded.EngineMode)
	decoded.Extra = nil
	args.Extra = nil
	assert.Equal(t, args, decoded)
}
