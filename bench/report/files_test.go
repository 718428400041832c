package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// Everything that is made from a journal can be made again from its file, byte for byte.
func TestReplay(t *testing.T) {
	lab := &fake.Lab{Fault: func(pass int, _ *vllmgo.Generation) error {
		if pass == 50 {
			return fake.Err
		}
		return nil
	}}
	s := benchtest.Settings(t, lab)
	s.RandomWeights = true
	require.NoError(t, bench.Run(t.Context(), s))
	require.NoError(t, resultsOf(t, s).WriteFiles(s.Dir))
	again := t.TempDir()
	require.NoError(t, resultsOf(t, s).WriteFiles(again))

	files, err := os.ReadDir(again)
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
		first, err := os.ReadFile(filepath.Join(s.Dir, file.Name()))
		require.NoError(t, err)
		second, err := os.ReadFile(filepath.Join(again, file.Name()))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(first, second), file.Name())
		if filepath.Ext(file.Name()) != ".png" {
			assert.Regexp(t, "random weights|random_weights", string(first), file.Name())
		}
	}
	assert.Equal(t, []string{
		"batch-size.csv", "batch-size.png", "report.txt", "request-count.csv", "request-count.png",
		"results.json", "sequence-length.csv", "sequence-length.png",
	}, names)

	text, err := os.ReadFile(filepath.Join(s.Dir, "results.json"))
	require.NoError(t, err)
	var results Results
	require.NoError(t, json.Unmarshal(text, &results))
	assert.Equal(t, resultsOf(t, s), &results, "results.json holds everything")
}
