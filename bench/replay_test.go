package bench

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// A journal is enough to draw the same requests again, for another engine on another machine.
func TestReplayRequests(t *testing.T) {
	for _, text := range []bool{false, true} {
		s := testSettings(t, &fakeLab{})
		s.Requests.Vocabulary = testVocabulary(t, 256, 3, 250)
		s.Requests.Seed = 77
		s.Studies = tiny(BatchSize)
		s.Studies[0].Points[1].Lengths = DrawLengths(2, distribution(t, "uniform:5,9"), distribution(t, "normal:8,2"), 1)
		s.Studies[0].Points[2].SharedPrefix = 3
		var tokenizer Tokenizer
		lab := &fakeLab{}
		if text {
			tokenizer, lab.tokenizer = byteTokenizer{}, byteTokenizer{}
			s.Requests.Tokenizer = tokenizer
		}
		s.Open = lab.open
		s.Stopping = FixedTrials(2)
		require.NoError(t, Run(t.Context(), s))
		journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
		require.NoError(t, err)
		assert.Empty(t, journal.Failures)
		n, err := journal.VerifyRequests(t.Context(), tokenizer)
		require.NoError(t, err)
		assert.Equal(t, 6, n)

		again := s
		again.Dir, again.Ledger = t.TempDir(), journal.PromptHashes()
		again.EngineArgs = vllmgo.EngineArgs{Model: "another"}
		again.Requests = Requests{Vocabulary: journal.Header.Vocabulary, Seed: journal.Header.Seed, Tokenizer: tokenizer}
		again.Stopping = FixedTrials(3)
		require.NoError(t, Run(t.Context(), again))
		assert.True(t, readResults(t, again).Complete())

		again.Dir = t.TempDir()
		again.Requests.Seed++
		require.NoError(t, Run(t.Context(), again))
		for _, row := range readResults(t, again).Studies[0].Rows {
			assert.Equal(t, Failed, row.Status)
			assert.Contains(t, row.Notes[0], "trial 1 has other prompts than in the run that is repeated")
			assert.Equal(t, CheckPrompts, row.Checks[0].Name)
		}

		journal.Trials[5].Ledger.PromptsSHA256 = "0"
		n, err = journal.VerifyRequests(t.Context(), tokenizer)
		assert.ErrorContains(t, err, "other prompts than in the run that is repeated")
		assert.Less(t, n, 6)
		journal.Header.Text = !text
		_, err = journal.VerifyRequests(t.Context(), tokenizer)
		assert.ErrorContains(t, err, "a tokenizer is there")
	}
}

func TestVocabularyInJSON(t *testing.T) {
	v := testVocabulary(t, 10, 0, 4, 9)
	text, err := json.Marshal(v)
	require.NoError(t, err)
	assert.JSONEq(t, `{"size": 9, "without": [0, 4]}`, string(text))
	var again Vocabulary
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, v, again)
	assert.Error(t, json.Unmarshal([]byte(`{"size": 0}`), &again))
}
