package report

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/internal/files"
	"vllmgo/bench/journal"
)

// committed is the directory with the results of real runs.
const committed = "../../docs/results"

// sameAsCommitted makes those files that are committed in a directory, and compares them with the
// committed ones byte for byte. It leaves out results.json, which has the members of the version
// that wrote it.
func sameAsCommitted(t *testing.T, dir string, all []files.File) {
	t.Helper()
	compared := 0
	for _, f := range all {
		path := filepath.Join(dir, f.Name)
		want, err := os.ReadFile(filepath.Join(committed, path))
		if err != nil || f.Name == "results.json" {
			continue
		}
		var got bytes.Buffer
		require.NoError(t, f.Write(&got))
		assert.True(t, bytes.Equal(want, got.Bytes()), "%s is made from its journal otherwise than it was", path)
		compared++
	}
	assert.NotZero(t, compared, dir)
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
		sameAsCommitted(t, name, runs[name].files())
		return nil
	}))
	for _, model := range []string{"llama-8b", "opt-125m"} {
		var sizes []ScalingRun
		for _, size := range []string{"-tp1", "-tp2"} {
			name := "h100x2-scaling/" + model + size
			require.Contains(t, runs, name)
			sizes = append(sizes, ScalingRun{"docs/results/" + name, runs[name]})
		}
		scaling, err := NewScaling(sizes...)
		require.NoError(t, err)
		sameAsCommitted(t, "h100x2-scaling/"+model, scaling.files())
	}
}

// The short reports that the documentation shows are those of committed journals, as far as they
// are shown.
func TestDocumentedShortReports(t *testing.T) {
	block := regexp.MustCompile("(?s)<!-- short report: docs/results/(\\S+) -->\n```\n(.*?)\n```")
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	shown := block.FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, shown)
	for _, match := range shown {
		r, err := Read(filepath.Join(committed, match[1]))
		require.NoError(t, err)
		var b strings.Builder
		require.NoError(t, r.WriteShort(&b, "docs/results/"+match[1], 80))
		for part := range strings.SplitSeq(match[2], "\n…\n") {
			assert.Contains(t, b.String(), part+"\n")
		}
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
