package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/workload"
	"vllmgo/internal/race"
)

// What is wrong with a race is said before a contender loads.
func TestRaceRefuses(t *testing.T) {
	for message, args := range map[string][]string{
		`no contender "rust"`:                             {"--contender", "rust"},
		"two contenders are called python":                {"--contender", "python", "--contender", "python,max_num_seqs=8"},
		`no setting "max_num_seqs"`:                       {"--contender", "vllmgo,max_num_seqs"},
		"--rounds is 0":                                   {"--rounds", "0"},
		`no point "batch-size"; an example: batch-size=8`: {"--contender", "vllmgo", "--point", "batch-size"},
		"the preset has no point batch size 7":            {"--contender", "vllmgo", "--point", "batch-size=7", "--point", "batch-size=8"},
		"model not found":                                 {"--model", "no/such"},
		`no setting "max_num_seqs"; an example`:           {"--contender", "vllmgo", "--set", "max_num_seqs"},
	} {
		lib := newFakeLibrary("cpu", "facebook/opt-125m")
		status, stdout, stderr := runVllmbench(t, lib.library, append([]string{"race", "--out", t.TempDir()}, args...)...)
		assert.Equal(t, 1, status, message)
		assert.Contains(t, stderr, message)
		assert.Empty(t, stdout)
	}
}

func TestOnly(t *testing.T) {
	all, err := workload.Preset("quick")
	require.NoError(t, err)
	same, err := only(all, nil)
	require.NoError(t, err)
	assert.Equal(t, all, same)
	some, err := only(all, []string{"request-count=50", "batch-size=8", "batch-size=1"})
	require.NoError(t, err)
	require.Len(t, some, 2)
	assert.Equal(t, []int{1, 8}, []int{some[0].Points[0].Value, some[0].Points[1].Value})
	assert.Equal(t, "request-count", some[1].Name)
}

// A race's tables can be made again from its journal.
func TestReplayRace(t *testing.T) {
	text, err := os.ReadFile("../../docs/results/h100x2-race-llama-8b-tp2/race.jsonl")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, race.JournalName), text, 0o644))
	status, stdout, stderr := runVllmbench(t, newFakeLibrary("cpu").library, "replay", "--report", dir)
	require.Zero(t, status, stderr)
	committed, err := os.ReadFile("../../docs/results/h100x2-race-llama-8b-tp2/race.txt")
	require.NoError(t, err)
	assert.Equal(t, string(committed), stdout)
	written, err := os.ReadFile(filepath.Join(dir, "race.txt"))
	require.NoError(t, err)
	assert.Equal(t, stdout, string(written))
}
