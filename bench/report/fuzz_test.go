package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
)

// realJournal returns a journal of a real run with the lines of one point only, and so many of each
// kind.
func realJournal(tb testing.TB, path, point string, each int) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(committed, path))
	require.NoError(tb, err)
	var b bytes.Buffer
	seen := map[string]int{}
	for line := range strings.Lines(string(text)) {
		kind, rest, _ := strings.Cut(line, ":")
		of := strings.HasPrefix(rest, `{"study"`)
		if of && !strings.HasPrefix(rest, point) {
			continue
		}
		if seen[kind]++; !of || seen[kind] <= each {
			b.WriteString(line)
		}
	}
	return b.Bytes()
}

// makeAll makes everything that is made from a journal, if it can be read. An error is as good as a
// file, and a panic is not.
func makeAll(tb testing.TB, text []byte) {
	j, err := journal.Read(bytes.NewReader(text))
	if err != nil {
		return
	}
	r := New(j)
	r.Complete()
	for _, f := range r.files() {
		assert.Equal(tb, filepath.Base(f.Name), f.Name)
		assert.NotEqual(tb, "..", f.Name)
		_ = f.Write(io.Discard)
	}
	_ = Compare(r, r).Write(io.Discard, "first", "second", 80)
	_ = Compare(r, r).WriteMarkdown(io.Discard, "first", "second")
	_ = r.WriteGoBenchmark(io.Discard, "first")
	_ = r.WriteShort(io.Discard, "results", 80)
	if s, err := NewScaling(ScalingRun{"one", r}, ScalingRun{"two", r}); err == nil {
		_ = s.WriteReport(io.Discard)
	}
}

func FuzzJournal(f *testing.F) {
	for path, point := range map[string]string{
		"cpu-latency/journal.jsonl":        `{"study":"requests","value":4,`,
		"cpu-opt-125m-quick/journal.jsonl": `{"study":"batch-size","value":8,`,
		"h100-opt-125m-0.32/journal.jsonl": `{"study":"sequence-length","value":64,`,
	} {
		text := realJournal(f, path, point, 2)
		_, err := journal.Read(bytes.NewReader(text))
		require.NoError(f, err, path)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { makeAll(t, text) })
}

func FuzzSoak(f *testing.F) {
	f.Add(realJournal(f, "soak/h100/soak.jsonl", "", 0))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), journal.SoakFileName)
		require.NoError(t, os.WriteFile(path, text, 0o644))
		if s, err := journal.ReadSoak(path); err == nil {
			_ = WriteSoak(io.Discard, s)
		}
	})
}

// extremes are values that no figure, length or name should have, and some that it may have.
var extremes = []any{
	0, -1, 1, 1 << 22, int64(1) << 62, -int64(1) << 62, 1e-300, 1e308, "", "../../x", "\x1b[2J", nil, true, []any{}, object{},
	json.Number("1e999"),
}

type object = map[string]any

// spoil calls try with a JSON value in which each of its parts is, in turn, each of the extremes.
func spoil(value any, set func(any), try func(what string)) {
	for _, extreme := range extremes {
		set(extreme)
		try(fmt.Sprintf("%v instead of %.80v", extreme, value))
	}
	set(value)
	switch v := value.(type) {
	case object:
		for name, member := range v {
			spoil(member, func(other any) { v[name] = other }, func(what string) { try(name + ": " + what) })
		}
	case []any:
		for i, item := range v[:min(len(v), 2)] {
			spoil(item, func(other any) { v[i] = other }, try)
		}
	}
}

// Whatever value stands in a journal, nothing panics, takes a gigabyte, or is written elsewhere.
// All values at all places take minutes, so each thirteenth is tried: of each place, another value.
func TestExtremeValues(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	text := realJournal(t, "cpu-latency/journal.jsonl", `{"study":"requests","value":4,`, 1)
	j, err := journal.Read(bytes.NewReader(text))
	require.NoError(t, err)
	require.NotNil(t, New(j).Studies[0].Rows[0].Latency)
	var records []any
	for line := range bytes.Lines(text) {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber()
		var record any
		require.NoError(t, decoder.Decode(&record))
		records = append(records, record)
	}
	var before, after runtime.MemStats
	n := 0
	try := func(what string) {
		if n++; n%13 != 0 {
			return
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		for _, record := range records {
			require.NoError(t, encoder.Encode(record))
		}
		runtime.ReadMemStats(&before)
		require.NotPanics(t, func() { makeAll(t, text.Bytes()) }, what)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30), what)
	}
	for i := range records {
		spoil(records[i], func(other any) { records[i] = other }, try)
	}
}
