package logfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// example writes a file of some lines and returns its text.
func example(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	w, err := Create(path)
	require.NoError(t, err)
	for _, record := range []map[string]any{
		{"header": "a"}, {"trial": 1}, {"trial": 2}, {"trial": 1}, {"note": `","crc32c":"`}, {"trial": map[string]any{"env": 5}}, {"end": true},
	} {
		require.NoError(t, w.Append(record))
	}
	require.NoError(t, w.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

// readLines returns what Read passes on. The first line has to be verified, as by its schema.
func readLines(text []byte) (lines []string, damaged bool, err error) {
	damaged, err = Read(bytes.NewReader(text), func(line []byte, verified bool) error {
		if !verified {
			return fmt.Errorf("no checksum")
		}
		lines = append(lines, string(line))
		return nil
	})
	return lines, damaged, err
}

// requireTold checks that a damaged file is an error, or loses at most its last lines and says so.
func requireTold(t *testing.T, damage string, text []byte, want []string) {
	t.Helper()
	got, damaged, err := readLines(text)
	if err != nil {
		require.ErrorContains(t, err, " of the journal: ", damage)
		return
	}
	require.True(t, damaged, damage)
	require.Less(t, len(got), len(want), damage)
	require.Equal(t, want[:len(got)], got, damage)
	require.GreaterOrEqual(t, len(got), len(want)-2, damage) // the end of the last line but one makes one of two
}

// No bit can change without notice.
func TestEachBit(t *testing.T) {
	text := example(t)
	want, damaged, err := readLines(text)
	require.NoError(t, err)
	require.False(t, damaged)
	require.Len(t, want, 7)
	for i := range text {
		for bit := range 8 {
			flipped := bytes.Clone(text)
			flipped[i] ^= 1 << bit
			requireTold(t, fmt.Sprintf("bit %d of byte %d of %q", bit, i, text), flipped, want)
		}
	}
}

// No line but the last can be missing, there twice, or in another place.
func TestEachLine(t *testing.T) {
	text := example(t)
	want, _, err := readLines(text)
	require.NoError(t, err)
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
	for i := range lines {
		if i < len(lines)-1 {
			requireTold(t, fmt.Sprintf("without line %d", i+1), bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil), want)
		}
		for k := range lines {
			if i < len(lines)-1 || k < i {
				_, _, err := readLines(bytes.Join(slices.Insert(slices.Clone(lines), k, lines[i]), nil))
				assert.Error(t, err, "line %d again before line %d", i+1, k+1)
			}
			swapped := slices.Clone(lines)
			if swapped[i], swapped[k] = swapped[k], swapped[i]; i != k {
				_, _, err := readLines(bytes.Join(swapped, nil))
				assert.Error(t, err, "lines %d and %d exchanged", i+1, k+1)
			}
		}
	}
	for name, twice := range map[string][]byte{
		"the file twice": slices.Concat(text, text), "the body twice": append(bytes.Clone(text), bytes.Join(lines[1:], nil)...),
	} {
		_, _, err := readLines(twice)
		assert.Error(t, err, name)
	}
	// Its last line twice is a last line that is damaged.
	requireTold(t, "the last line twice", slices.Concat(text, lines[len(lines)-1]), append(want, "the second"))
}

// A file goes on with the checksums of its lines, and one of an older program goes on without.
func TestContinue(t *testing.T) {
	text := example(t)
	old := []byte(`{"header":1}` + "\n" + `{"trial":1}` + "\n")
	for _, c := range []struct {
		text   []byte
		cut    int
		append bool
		want   []byte
	}{
		{text, 0, false, text},
		{text, 1, false, text}, // only the line's end is missing
		{text, 2, true, text},
		{text, 10, true, text},
		{old, 0, true, append(bytes.Clone(old), `{"end":true}`+"\n"...)},
		{old, 5, true, []byte(`{"header":1}` + "\n" + `{"end":true}` + "\n")},
	} {
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, c.text[:len(c.text)-c.cut], 0o644))
		w, err := Continue(path, func(_ []byte, verified bool) error {
			assert.Equal(t, strings.Contains(string(c.text), "crc32c"), verified)
			return nil
		})
		require.NoError(t, err)
		if c.append {
			require.NoError(t, w.Append(map[string]bool{"end": true}))
		}
		require.NoError(t, w.Close())
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(c.want), string(got), "cut by %d", c.cut)
	}
}

// A record without a member, or of another type, is an error before it is written.
func TestAppendErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	w, err := Create(path)
	require.NoError(t, err)
	for _, record := range []any{struct{}{}, 5, "{}", []int{1}, nil, func() {}} {
		assert.Error(t, w.Append(record), "%T", record)
	}
	require.NoError(t, w.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Empty(t, text)
}
