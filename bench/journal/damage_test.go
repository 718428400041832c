package journal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
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

// smallJournal is the text of a journal of a run with few settings, a point and two trials.
func smallJournal(t *testing.T) []byte {
	t.Helper()
	s := benchtest.Settings(t, &fake.Lab{})
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Studies[0].Points = s.Studies[0].Points[:1]
	s.Requests.Vocabulary = benchtest.Vocabulary(t, 20)
	s.Stopping.MinTrials, s.Stopping.MaxTrials = 2, 2
	require.NoError(t, bench.Run(t.Context(), s))
	text, err := os.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	return text
}

// reportOf returns the report of a journal, if it can be read.
func reportOf(text []byte) (string, error) {
	j, err := journal.Read(bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = report.New(j).WriteReport(&b)
	return b.String(), err
}

// A journal with any damage gives an error, or a report that says so, and never another figure.
func TestDamageIsTold(t *testing.T) {
	text := smallJournal(t)
	whole, err := reportOf(text)
	require.NoError(t, err)
	require.NotContains(t, whole, "Problem")
	told := func(what string, n int, damaged []byte) {
		got, err := reportOf(damaged)
		if err == nil && got != whole && !strings.Contains(got, "Problem: the ") {
			t.Errorf("%s %d changes the report, which says nothing of it", what, n)
		}
	}
	step := 1
	if testing.Short() {
		step = 17
	}
	for i := 0; i < 8*len(text); i += step {
		flipped := bytes.Clone(text)
		flipped[i/8] ^= 1 << (i % 8)
		told("bit", i, flipped)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	for i := range lines {
		told("without line", i+1, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
		told("up to line", i+1, bytes.Join(lines[:i+1], nil))
		told("twice line", i+1, bytes.Join(slices.Insert(slices.Clone(lines), i, lines[i]), nil))
	}
	for cut := range text {
		told("up to byte", cut, text[:cut])
	}
}

// A journal of schema 2 is read as before, and marked. A run of it goes on without checksums.
func TestUnverified(t *testing.T) {
	text := testJournal(t)
	j, err := journal.Read(strings.NewReader(text))
	require.NoError(t, err)
	assert.False(t, j.Unverified)
	old := edited(t, text, "header", 0, func(object) {})
	j, err = journal.Read(strings.NewReader(old))
	require.NoError(t, err)
	assert.True(t, j.Unverified)
	assert.True(t, report.New(j).Unverified)
	withChecksums, err := reportOf([]byte(text))
	require.NoError(t, err)
	without, err := reportOf([]byte(old))
	require.NoError(t, err)
	assert.Equal(t, withChecksums, without)

	dir := t.TempDir()
	path := filepath.Join(dir, journal.FileName)
	cut := old[:strings.Index(old, `{"trial"`)]
	require.NoError(t, os.WriteFile(path, []byte(cut), 0o644))
	s := benchtest.Settings(t, &fake.Lab{})
	s.Studies, s.Requests.Seed, s.Dir, s.Resume = benchtest.Tiny(workload.BatchSize), 1<<64-1, dir, true
	require.NoError(t, bench.Run(t.Context(), s))
	resumed, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(resumed), "crc32c")
	j, err = journal.ReadFile(path)
	require.NoError(t, err)
	assert.Len(t, j.Trials, 3)
	assert.True(t, j.Ended)
}
