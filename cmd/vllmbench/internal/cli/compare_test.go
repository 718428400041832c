package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
)

// What two runs were asked for differently is said with both values.
func TestCompareCommandNotesSettings(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	lib := benchtest.NewLibrary("cpu", "m")
	measure := func(flags string) string {
		out := filepath.Join(t.TempDir(), "out")
		args := strings.Fields("run --model m --requests 4 --output-len 4 --trials 2 --out " + out + " " + flags)
		status, _, stderr := runVllmbench(t, lib, args...)
		require.Zero(t, status, stderr)
		return out
	}
	compare := func(first, second string) string {
		status, stdout, stderr := runVllmbench(t, lib, "compare", "--anyway", first, second)
		require.Zero(t, status, stderr)
		return strings.Join(strings.Fields(stdout), " ")
	}
	first := measure("")
	assert.NotContains(t, compare(first, measure("")), "Note:")
	for flags, note := range map[string]string{
		"--set max_num_seqs=2":            "engine.args.max_num_seqs: 256 in the first run, 2 in the second",
		"--set max_num_batched_tokens=64": "engine.args.max_num_batched_tokens: 8192 in the first run, 64 in the second",
		"--set enforce_eager=false":       "engine.args.enforce_eager: true in the first run, not set in the second",
		"--set block_size=32":             "engine.args.block_size: not set in the first run, 32 in the second",
		"--set quantization=fp8":          `engine.args.quantization: not set in the first run, "fp8" in the second`,
		"--set kv_cache_dtype=fp8":        `engine.args.kv_cache_dtype: not set in the first run, "fp8" in the second`,
		"--set seed=3":                    "engine.args.seed: not set in the first run, 3 in the second",
		"--set sampling.temperature=0.5":  "point.set.sampling.temperature: not set in the first run, 0.5 in the second",
		"--seed 7":                        "seed: 0 in the first run, 7 in the second",
		"--text":                          "text: not set in the first run, true in the second",
		"--shared-prefix 2":               "point.shared_prefix: not set in the first run, 2 in the second",
		"--dtype float32":                 `engine_args.dtype: "auto" in the first run, "float32" in the second`,
		"--warmup notebook":               `warm_up: "full" in the first run, "notebook" in the second`,
		"--gpu-memory-utilization 0.5":    "engine_args.gpu_memory_utilization: 0.9 in the first run, 0.5 in the second",
		"--engine-mode own-process":       `engine_mode: "" in the first run, "own-process" in the second`,
		"--cold":                          "cold: not set in the first run, true in the second",
	} {
		text := compare(first, measure(flags))
		assert.Contains(t, text, "Note: "+note+".", flags)
		assert.Equal(t, 1, strings.Count(text, "Note: "+note), flags)
	}

	path := filepath.Join(measure(""), journal.FileName)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-5], 0o644))
	text := compare(first, filepath.Dir(path))
	assert.Contains(t, text, "Note: the second run: the run did not come to its end.")
	assert.Contains(t, text, "Note: the second run: the journal's last line is damaged and was left out.")
}
