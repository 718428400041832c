package journal_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
)

// testJournal is the text of a run's journal: a header, an engine and three trials.
func testJournal(t *testing.T) string {
	t.Helper()
	s := benchtest.Settings(t, &fake.Lab{})
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Requests.Seed = 1<<64 - 1
	require.NoError(t, bench.Run(t.Context(), s))
	text, err := os.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	return string(text)
}

func TestJournalRoundTrip(t *testing.T) {
	text := testJournal(t)
	first, err := journal.Read(strings.NewReader(text))
	require.NoError(t, err)
	assert.False(t, first.Damaged)
	assert.Equal(t, uint64(1<<64-1), first.Header.Seed)
	assert.Equal(t, "facebook/opt-125m", first.Header.Model)
	assert.NotEmpty(t, first.Header.Machine.Go)
	assert.Len(t, first.Engines, 1)
	assert.Len(t, first.Trials, 3)
	assert.Len(t, first.WarmUps, 3)
	assert.True(t, first.Ended)

	path := filepath.Join(t.TempDir(), journal.FileName)
	w, err := journal.Create(path, first.Header)
	require.NoError(t, err)
	_, rest, _ := strings.Cut(text, "\n")
	for line := range strings.Lines(rest) {
		var r journal.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.NoError(t, w.Append(r))
	}
	require.NoError(t, w.Close())
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, string(again))
}

func TestJournalDamagedTail(t *testing.T) {
	text := testJournal(t)
	text = text[:strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1] // without its end
	last := strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n") + 1
	for name, tail := range map[string]string{
		"cut":     text[last : last+20],
		"garbled": "{\"trial\": ###}\n",
		"zeros":   string(bytes.Repeat([]byte{0}, 100)),
	} {
		t.Run(name, func(t *testing.T) {
			journal, err := journal.Read(strings.NewReader(text[:last] + tail))
			require.NoError(t, err)
			assert.True(t, journal.Damaged)
			assert.Len(t, journal.Trials, 2)
			r := report.New(journal)
			measured := 0
			for _, row := range r.Studies[0].Rows {
				measured += len(row.Trials)
			}
			assert.Equal(t, 2, measured)
			assert.Equal(t, []string{"the run did not come to its end", "the journal's last line is damaged and was left out"}, r.Problems)
		})
	}
	journal, err := journal.Read(strings.NewReader(strings.TrimSuffix(text, "\n")))
	require.NoError(t, err)
	assert.False(t, journal.Damaged, "only the line's end is missing")
	assert.Len(t, journal.Trials, 3)
}

func TestJournalErrors(t *testing.T) {
	text := testJournal(t)
	lines := strings.SplitAfter(text, "\n")
	old := edited(t, text, "header", 0, func(object) {})
	for want, damaged := range map[string]string{
		"line 1 of the journal: it is empty":        "",
		"line 1 of the journal: the first line":     edited(t, old[strings.Index(old, "\n")+1:], "end", 0, func(object) {}),
		"line 1 of the journal: its checksum":       strings.Join(lines[1:], ""),
		"line 2 of the journal: its end is damaged": lines[0] + "###\n" + lines[2],
		"line 2 of the journal: neither engine":     strings.Replace(old, "\n", "\n{}\n", 1),
		"schema 1; this program reads 2 and 3":      strings.Replace(old, `"schema":2`, `"schema":1`, 1),
		"it has no checksum, which schema 3 has":    strings.Replace(old, `"schema":2`, `"schema":3`, 1),
		"line 1 of the journal: unexpected end o":   lines[0][:30],
		"line 2 of the journal: it has a checksum":  old[:strings.Index(old, "\n")+1] + lines[1] + lines[2],
	} {
		_, err := journal.Read(strings.NewReader(damaged))
		assert.ErrorContains(t, err, want)
	}
	_, err := journal.ReadFile(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
