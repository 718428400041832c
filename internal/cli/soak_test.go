package cli

import (
	"bytes"
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

func (e fakeEngine) GenerateSeq(ctx context.Context, prompts iter.Seq2[vllmgo.Prompt, vllmgo.SamplingParams]) iter.Seq2[vllmgo.SeqOutput, error] {
	return func(yield func(vllmgo.SeqOutput, error) bool) {
		index := 0
		for prompt, params := range prompts {
			output := vllmgo.SeqOutput{Index: index}
			g, err := e.Generate(ctx, []vllmgo.Prompt{prompt}, params)
			if err == nil {
				output.RequestOutput = g.Outputs[0]
			}
			if index++; !yield(output, err) || err != nil {
				return
			}
		}
	}
}

func TestSoakCommand(t *testing.T) {
	lib := newFakeLibrary("cpu", "facebook/opt-125m")
	dir := t.TempDir()
	status, stdout, stderr := runVllmbench(t, lib.library, "soak", "--requests", "1000", "--set", "max_num_seqs=8", "--out", dir)
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "all outputs are what was asked for")
	assert.Equal(t, 8, lib.opened[0].MaxNumSeqs)
	text, err := os.ReadFile(filepath.Join(dir, "soak.txt"))
	require.NoError(t, err)
	assert.Equal(t, stdout, string(text))

	status, _, stderr = runVllmbench(t, lib.library, "soak", "--out", dir)
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "holds another soak test's results", "results are not overwritten")

	// What was measured before it was stopped is printed.
	ctx, cancel := context.WithCancelCause(t.Context())
	calls := 0
	lib.generate = func() {
		if calls++; calls == 800 {
			cancel(interruption{2})
		}
	}
	var out bytes.Buffer
	v := vllmbench{
		args:   []string{"vllmbench", "soak", "--requests", "1000", "--set", "max_num_seqs=8", "--out", filepath.Join(dir, "stopped")},
		stdout: &out, stderr: io.Discard, lib: lib.library,
	}
	assert.Equal(t, 130, v.execute(ctx))
	assert.Contains(t, out.String(), "750 │")
	assert.NotContains(t, out.String(), "all outputs")

	status, _, stderr = runVllmbench(t, lib.library, "soak", "--requests", "3")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "--requests is 3")
}
