package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/race"
)

// What is wrong with a race is said before a contender loads.
func TestRaceRefuses(t *testing.T) {
	for message, c := range map[string]struct {
		status int
		args   []string
	}{
		`no contender "rust"`:                             {2, []string{"--contender", "rust"}},
		"two contenders are called python":                {2, []string{"--contender", "python", "--contender", "python,max_num_seqs=8"}},
		`no setting "max_num_seqs"`:                       {2, []string{"--contender", "vllmgo,max_num_seqs"}},
		"0 rounds and 0 process rounds; they must be":     {2, []string{"--rounds", "0"}},
		"--process-rounds is 9, and --rounds only 2":      {2, []string{"--rounds", "2", "--process-rounds", "9"}},
		"--set engine.dtype and --dtype set the same":     {2, []string{"--dtype", "float32", "--set", "dtype=float16"}},
		"must be a multiple of 2, the":                    {2, []string{"--contender", "vllmgo", "--contender", "python", "--reload", "--rounds", "3"}},
		"--set env.X is not possible here; give it to":    {2, []string{"--set", "env.X=1"}},
		`no point "batch-size"; an example: batch-size=8`: {2, []string{"--contender", "vllmgo", "--point", "batch-size"}},
		"no study has the point: batch size 7":            {2, []string{"--contender", "vllmgo", "--point", "batch-size=7", "--point", "batch-size=8"}},
		"model not found":                                 {1, []string{"--model", "no/such"}},
		`no setting "max_num_seqs"; an example`:           {2, []string{"--contender", "vllmgo", "--set", "max_num_seqs"}},
	} {
		lib := benchtest.NewLibrary("cpu", "facebook/opt-125m")
		status, stdout, stderr := runVllmbench(t, lib, append([]string{"race", "--out", t.TempDir()}, c.args...)...)
		assert.Equal(t, c.status, status, message)
		assert.Contains(t, stderr, message)
		assert.Empty(t, stdout)
	}
}

// A race's tables can be made again from its journal.
func TestReplayRace(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/results/h100x2-race-llama-8b-tp2/race.jsonl")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, race.JournalName), text, 0o644))
	status, stdout, stderr := runVllmbench(t, benchtest.NewLibrary("cpu"), "replay", "--report", dir)
	require.Zero(t, status, stderr)
	assert.Contains(t, stderr, dir+": the journal is of an older version and has no checksums")
	committed, err := os.ReadFile("../../../../docs/results/h100x2-race-llama-8b-tp2/race.txt")
	require.NoError(t, err)
	assert.Equal(t, string(committed), stdout)
	written, err := os.ReadFile(filepath.Join(dir, "race.txt"))
	require.NoError(t, err)
	assert.Equal(t, stdout, string(written))
}
