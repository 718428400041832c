package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
)

func TestScalingCommand(t *testing.T) {
	lib := benchtest.NewLibrary("cpu", "m")
	dir := t.TempDir()
	for _, size := range []string{"1", "2"} {
		status, _, stderr := runVllmbench(t, lib, "run", "--model", "m", "--requests", "2", "--trials", "1",
			"--tensor-parallel-size", size, "--out", filepath.Join(dir, "tp"+size))
		require.Zero(t, status, stderr)
	}
	one, two := filepath.Join(dir, "tp1"), filepath.Join(dir, "tp2", journal.FileName)
	status, stdout, stderr := runVllmbench(t, lib, "scaling", "--out", filepath.Join(dir, "new", "out"), one, two)
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "speed-up")
	text, err := os.ReadFile(filepath.Join(dir, "new", "out", "scaling.txt"))
	require.NoError(t, err)
	assert.Equal(t, stdout, string(text))
	assert.FileExists(t, filepath.Join(dir, "new", "out", "scaling-study.png"))
	assert.FileExists(t, filepath.Join(dir, "new", "out", "scaling.csv"))

	out := filepath.Join(dir, "sizes")
	status, _, stderr = runVllmbench(t, lib, "run", "--model", "m", "--trials", "1", "--axis", "tensor_parallel_size=1,2", "--out", out)
	require.Zero(t, status, stderr)
	status, stdout, stderr = runVllmbench(t, lib, "scaling", out)
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "32 requests of 128 input and 64 output tokens")

	status, _, stderr = runVllmbench(t, lib, "scaling", one)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "vllmbench: bench: no point was measured with two tensor_parallel_size")
	status, _, stderr = runVllmbench(t, lib, "scaling", dir)
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "reading the journal")
}
