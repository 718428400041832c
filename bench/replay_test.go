package bench_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// A journal is enough to draw the same requests again, for another engine on another machine.
func TestReplayRequests(t *testing.T) {
	uniform, err := workload.ParseDistribution("uniform:5,9")
	require.NoError(t, err)
	normal, err := workload.ParseDistribution("normal:8,2")
	require.NoError(t, err)
	for _, text := range []bool{false, true} {
		s := benchtest.Settings(t, &fake.Lab{})
		s.Requests.Vocabulary = benchtest.Vocabulary(t, 256, 3, 250)
		s.Requests.Seed = 77
		s.Studies = benchtest.Tiny(workload.BatchSize)
		s.Studies[0].Points[1].Lengths = workload.DrawLengths(2, uniform, normal, 1)
		s.Studies[0].Points[2].SharedPrefix = 3
		var tokenizer workload.Tokenizer
		lab := &fake.Lab{}
		if text {
			tokenizer, lab.Tokenizer = fake.ByteTokenizer{}, fake.ByteTokenizer{}
			s.Requests.Tokenizer = tokenizer
		}
		s.Open = fake.Opener[bench.Engine](lab)
		s.Stopping = stat.FixedTrials(2)
		require.NoError(t, bench.Run(t.Context(), s))
		recorded, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
		require.NoError(t, err)
		assert.Empty(t, recorded.Failures)
		n, err := recorded.VerifyRequests(t.Context(), tokenizer)
		require.NoError(t, err)
		assert.Equal(t, 6, n)

		again := s
		again.Dir, again.Expect = t.TempDir(), recorded.PromptHashes()
		again.EngineArgs = vllmgo.EngineArgs{Model: "another"}
		again.Requests = workload.Requests{Vocabulary: recorded.Header.Vocabulary, Seed: recorded.Header.Seed, Tokenizer: tokenizer}
		again.Stopping = stat.FixedTrials(3)
		require.NoError(t, bench.Run(t.Context(), again))
		assert.True(t, readResults(t, again).Complete())

		again.Dir = t.TempDir()
		again.Requests.Seed++
		require.NoError(t, bench.Run(t.Context(), again))
		for _, row := range readResults(t, again).Studies[0].Rows {
			assert.Equal(t, report.Failed, row.Status)
			assert.Contains(t, row.Notes[0], "trial 1 has other prompts than in the run that is repeated")
			assert.Equal(t, journal.CheckPrompts, row.Checks[0].Name)
		}

		recorded.Trials[5].Ledger.PromptsSHA256 = "0"
		n, err = recorded.VerifyRequests(t.Context(), tokenizer)
		assert.ErrorContains(t, err, "other prompts than in the run that is repeated")
		assert.Less(t, n, 6)
		recorded.Header.Text = !text
		_, err = recorded.VerifyRequests(t.Context(), tokenizer)
		assert.ErrorContains(t, err, "tokenizer")
	}
}
