package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"vllmgo/bench/benchtest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSoakCommand(t *testing.T) {
	lib := benchtest.NewLibrary("cpu", "facebook/opt-125m")
	dir := t.TempDir()
	status, stdout, stderr := runVllmbench(t, lib, "soak", "--requests", "1000", "--set", "max_num_seqs=8", "--out", dir)
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "all outputs are what was asked for")
	assert.Equal(t, 8, lib.Opened[0].MaxNumSeqs)
	text, err := os.ReadFile(filepath.Join(dir, "soak.txt"))
	require.NoError(t, err)
	assert.Equal(t, stdout, string(text))

	status, _, stderr = runVllmbench(t, lib, "soak", "--out", dir)
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "holds another soak test's results", "results are not overwritten")

	t.Chdir(dir) // whose soak.jsonl does not matter without --out
	status, _, stderr = runVllmbench(t, lib, "soak", "--requests", "1000", "--set", "max_num_seqs=8")
	require.Zero(t, status, stderr)

	// What was measured before it was stopped is printed.
	ctx, cancel := context.WithCancelCause(t.Context())
	calls := 0
	lib.OnGenerate = func() {
		if calls++; calls == 800 {
			cancel(interruption{2})
		}
	}
	status, stdout, _ = runContext(ctx, lib, "soak", "--requests", "1000", "--set", "max_num_seqs=8", "--out", filepath.Join(dir, "stopped"))
	assert.Equal(t, 130, status)
	assert.Contains(t, stdout, "750 │")
	assert.NotContains(t, stdout, "all outputs")

	status, _, stderr = runVllmbench(t, lib, "soak", "--requests", "3")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "--requests is 3")
}
