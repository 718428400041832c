package report

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
)

// committed is the directory with the results of real runs.
const committed = "../../docs/results"

// older are files that have the words of an earlier version of the report.
var older = []string{"cpu-latency/report.txt", "cpu-opt-125m-quick/report.txt", "h100-opt-125m/report.txt"}

// sameAsCommitted compares the files of a directory with the committed ones of the same names, byte for
// byte. It leaves out results.json, which has the members of the version that wrote it.
func sameAsCommitted(t *testing.T, dir, name string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	compared := 0
	for _, file := range files {
		path := filepath.Join(name, file.Name())
		want, err := os.ReadFile(filepath.Join(committed, path))
		if err != nil || file.Name() == "results.json" || slices.Contains(older, path) {
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, file.Name()))
		require.NoError(t, err)
		assert.True(t, string(want) == string(got), "%s is made from its journal otherwise than it was", path)
		compared++
	}
	assert.NotZero(t, compared, name)
}

// The tables, CSV files and plots of real runs stay what they are.
func TestCommittedResults(t *testing.T) {
	runs := map[string]*Results{}
	require.NoError(t, filepath.WalkDir(committed, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != journal.FileName {
			return err
		}
		dir := filepath.Dir(path)
		name, err := filepath.Rel(committed, dir)
		require.NoError(t, err)
		runs[name], err = Read(dir)
		require.NoError(t, err)
		again := t.TempDir()
		require.NoError(t, runs[name].WriteFiles(again))
		sameAsCommitted(t, again, name)
		return nil
	}))
	for _, model := range []string{"llama-8b", "opt-125m"} {
		var sizes []Run
		for _, size := range []string{"-tp1", "-tp2"} {
			name := "h100x2-scaling/" + model + size
			require.Contains(t, runs, name)
			sizes = append(sizes, Run{"docs/results/" + name, runs[name]})
		}
		scaling, err := NewScaling(sizes...)
		require.NoError(t, err)
		again := t.TempDir()
		require.NoError(t, scaling.WriteFiles(again))
		sameAsCommitted(t, again, "h100x2-scaling/"+model)
	}
}

func TestCommittedSoak(t *testing.T) {
	soak, err := journal.ReadSoak(filepath.Join(committed, "soak/h100", journal.SoakFileName))
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join(committed, "soak/h100/soak.txt"))
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, WriteSoak(&text, soak))
	assert.Equal(t, string(want), text.String())
}
