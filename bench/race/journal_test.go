package race

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/logfile"
)

func TestReadJournalErrors(t *testing.T) {
	const header = `{"header":{"schema":1,"rounds":1,"contenders":[{"name":"vllmgo","kind":"vllmgo"}],` +
		`"studies":[{"name":"s","max_num_seqs":1,"max_num_batched_tokens":1,` +
		`"points":[{"study":"s","value":1,"requests":1,"input_len":1,"output_len":1}]}]}}` + "\n"
	const trial = `{"trial":{"contender":"vllmgo","study":"s","value":1,"round":1,"wall_ns":1}}` + "\n"
	for name, c := range map[string]struct{ text, message string }{
		"empty":                 {"", "line 1 of the journal: it is empty"},
		"no header":             {trial + trial, "line 1 of the journal: the first line is not a header"},
		"an unknown schema":     {`{"header":{"schema":3}}` + "\n", "line 1 of the journal: schema 3; this program reads 1 and 2"},
		"no checksums":          {strings.Replace(header, `"schema":1`, `"schema":2`, 1), "it has no checksum, which schema 2 has"},
		"no contenders":         {`{"header":{"schema":1}}` + "\n", "line 1 of the journal: the header has no contenders"},
		"two headers":           {header + header + trial, "line 2 of the journal: another header"},
		"an unknown record":     {header + "{}\n" + trial, "line 2 of the journal: it has no loaded, trial or failure"},
		"damage before the end": {header + trial[:20] + "\n" + trial, "line 2 of the journal: unexpected end"},
	} {
		path := filepath.Join(t.TempDir(), JournalName)
		require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
		_, err := ReadJournal(path)
		assert.ErrorContains(t, err, c.message, name)
		assert.ErrorContains(t, err, path, name)
	}
}

// The results of a journal are computed without a panic, whatever it has.
func FuzzJournal(f *testing.F) {
	for _, path := range []string{"cpu-start-up/1", "h100-start-up", "cpu-race-throughput"} {
		text, err := os.ReadFile(filepath.Join("../../docs/results", path, JournalName))
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte(`{"header":{"schema":1,"rounds":1,"reload":true,"contenders":[{"name":"a","kind":"vllmgo"},` +
		`{"name":"b","kind":"throughput"}],"studies":[{"name":"s","max_num_seqs":1,"max_num_batched_tokens":1,` +
		`"points":[{"study":"s","value":1,"requests":1,"output_len":1}]}]}}
{"loaded":{"contender":"a","group":1,"load_ns":1,"first_token_ns":1}}
{"trial":{"contender":"a","study":"s","value":1,"round":1,"wall_ns":1}}
{"trial":{"contender":"b","study":"s","value":1,"round":1,"wall_ns":2,"process_ns":1}}
{"failure":{"contender":"b","group":1}}
`))
	f.Fuzz(func(t *testing.T, text []byte) {
		j := new(Journal)
		if _, err := logfile.Read(bytes.NewReader(text), j.add); err != nil {
			return
		}
		r := NewResult(j)
		r.Complete()
		_ = r.Write(io.Discard) // an error is as good as a table
	})
}

// The tables of committed races are made from their journals, byte for byte.
func TestCommittedRaces(t *testing.T) {
	journals, err := filepath.Glob("../../docs/results/*/" + JournalName)
	require.NoError(t, err)
	require.NotEmpty(t, journals)
	for _, path := range journals {
		j, err := ReadJournal(path)
		require.NoError(t, err)
		var got bytes.Buffer
		require.NoError(t, NewResult(j).Write(&got))
		want, err := os.ReadFile(filepath.Join(filepath.Dir(path), "race.txt"))
		require.NoError(t, err)
		assert.Equal(t, string(want), got.String(), path)
	}
}

// No text of a journal reaches a terminal with its control characters.
func TestControlCharacters(t *testing.T) {
	const escape = "\x1b[2J\u009b\x07"
	j := &Journal{
		Header: Header{
			Model: "m" + escape, Device: "d" + escape, Preset: "p" + escape, Command: []string{"c" + escape},
			Contenders: []Contender{{Name: "a" + escape, Kind: VLLMGo}},
		},
		Failures: []Failure{{Contender: "a" + escape, Reason: "it broke\n" + escape}},
	}
	var text strings.Builder
	require.NoError(t, NewResult(j).Write(&text))
	assert.Contains(t, text.String(), "it broke\n\\x1b[2J")
	assert.NotContains(t, text.String(), "\x1b")
	assert.NotContains(t, text.String(), "\u009b")
}
