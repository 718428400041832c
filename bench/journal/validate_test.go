package journal_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/internal/logfile"
)

// object is what JSON has in braces.
type object = map[string]any

// edited returns a journal of schema 2, which has no checksums, after edit has changed the n-th
// line of a kind, counted from 0.
func edited(t *testing.T, text, kind string, n int, edit func(object)) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.UseNumber()
		var record object
		require.NoError(t, decoder.Decode(&record))
		delete(record, "crc32c")
		if header, ok := record["header"].(object); ok {
			header["schema"] = 2
		}
		if member, ok := record[kind].(object); ok {
			if n == 0 {
				edit(member)
			}
			n--
		}
		encoded, err := json.Marshal(record)
		require.NoError(t, err)
		b.Write(append(encoded, '\n'))
	}
	require.Negative(t, n, "there is no such line")
	return b.String()
}

// sealed returns a journal of schema 2 as one of schema 3.
func sealed(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), journal.FileName)
	w, err := logfile.Create(path)
	require.NoError(t, err)
	for line := range strings.Lines(strings.Replace(text, `"schema":2`, `"schema":3`, 1)) {
		require.NoError(t, w.Append(json.RawMessage(line)))
	}
	require.NoError(t, w.Close())
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(written)
}

// in returns the edit of a value inside another, by the names and indices on the way.
func in(value any, path ...any) func(object) {
	return func(o object) {
		var at any = o
		for _, step := range path[:len(path)-1] {
			if name, ok := step.(string); ok {
				at = at.(object)[name]
			} else {
				at = at.([]any)[step.(int)]
			}
		}
		at.(object)[path[len(path)-1].(string)] = value
	}
}

// Each value that is impossible is an error that names the line and the value, with checksums and
// without.
func TestImpossibleValues(t *testing.T) {
	text := testJournal(t)
	_, err := journal.Read(strings.NewReader(edited(t, text, "trial", 0, func(object) {})))
	require.NoError(t, err)
	noPoints := []any{object{"name": "a", "max_num_seqs": 1, "max_num_batched_tokens": 1, "points": nil}}
	for want, c := range map[string]struct {
		kind string
		n    int
		edit func(object)
	}{
		"line 1 of the journal: bench: study a has no points": {"header", 0, in(noPoints, "studies")},
		"bench: there are no studies":                         {"header", 0, in(nil, "studies")},
		"has 0 requests":                                      {"header", 0, in(0, "studies", 0, "points", 0, "requests")},
		"has 4611686018427387904 requests":                    {"header", 0, in(1<<62, "studies", 0, "points", 0, "requests")},
		"more than 16777216 completions":                      {"header", 0, in(1<<25, "studies", 0, "points", 0, "requests")},
		"the lengths of 2":                                    {"header", 0, in([]any{[]int{1, 1}, []int{1, 1}}, "studies", 0, "points", 0, "lengths")},
		"a request of -8 input":                               {"header", 0, in(-8, "studies", 0, "points", 0, "input_len")},
		`the name "../../x" becomes part of file names`:       {"header", 0, in("../../x", "studies", 0, "name")},
		`the name "" becomes part of file names`:              {"header", 0, in("", "studies", 0, "name")},
		"a vocabulary of 2147483647 tokens":                   {"header", 0, in(1<<31-1, "vocabulary", "size")},
		"vocabulary is 0":                                     {"header", 0, func(o object) { delete(o, "vocabulary") }},
		"Stopping asks for 0 to 1 trials":                     {"header", 0, in(0, "stopping", "min_trials")},
		"warm_up is hot":                                      {"header", 0, in("hot", "warm_up")},
		"max_num_seqs is 0":                                   {"engine", 0, in(0, "args", "max_num_seqs")},
		"tensor_parallel_size is 4611686018427387904":         {"engine", 0, in(1<<62, "args", "tensor_parallel_size")},
		"load_time_ns is -1ns":                                {"engine", 0, in(-1, "load_time_ns")},
		"single_ns is 0s":                                     {"warm_up", 0, in(0, "single_ns")},
		"the warm-up of batch size 1 on engine 1 again":       {"warm_up", 1, in(1, "value")},
		"elapsed_ns is -5ns":                                  {"trial", 0, in(-5, "elapsed_ns")},
		"elapsed_ns is 0s":                                    {"trial", 0, in(0, "elapsed_ns")},
		"elapsed_ns + outside_ns":                             {"trial", 0, in(-1<<62, "outside_ns")},
		"trial 2 of batch size":                               {"trial", 0, in(2, "trial")},
		"trial 0 of batch size":                               {"trial", 0, func(o object) { delete(o, "trial") }},
		"batch size 7, which is no point of the run":          {"trial", 0, in(7, "value")},
		"other 4, which is no point of the run":               {"trial", 0, in("other", "study")},
		"engine 9, which did not open":                        {"trial", 0, in(9, "engine")},
		"peak_kv_tokens is 5":                                 {"trial", 0, in(5, "peak_kv_tokens")},
		"requests is 99 for the":                              {"trial", 0, in(99, "ledger", "requests")},
		"input_tokens is 99 for the":                          {"trial", 0, in(99, "ledger", "input_tokens")},
		"output_tokens is 99 for the":                         {"trial", 0, in(99, "ledger", "output_tokens")},
		"cached_tokens is 1":                                  {"trial", 0, in(1, "ledger", "cached_tokens")},
		`prompts_sha256 is "00"`:                              {"trial", 0, in("00", "ledger", "prompts_sha256")},
		"other_cores is -1":                                   {"trial", 0, in(-1, "usage", "other_cores")},
		`stopped is "tired"`:                                  {"trial", 0, in("tired", "stopped")},
		"steal is 1.5":                                        {"trial", 0, in(1.5, "usage", "steal")},
		"busy is 2":                                           {"trial", 0, in([]any{object{"gpu": 0, "busy": 2}}, "usage", "gpus")},
		"gpu is 0":                                            {"trial", 0, in([]any{object{"gpu": 0}, object{"gpu": 0}}, "usage", "gpus")},
		"number 1e400":                                        {"trial", 0, in(json.Number("1e400"), "usage", "cores")},
		"batch size 7, which":                                 {"begin", 1, in([]any{object{"study": "batch-size", "value": 7}}, "points")},
		"line 2 of the journal: engine is 0":                  {"begin", 0, in(0, "engine")},
	} {
		damaged := edited(t, text, c.kind, c.n, c.edit)
		for _, text := range []string{damaged, sealed(t, damaged)} {
			j, err := journal.Read(strings.NewReader(text))
			require.ErrorContains(t, err, want)
			assert.ErrorContains(t, err, " of the journal: ", want)
			assert.Nil(t, j)
		}
	}
}

// Lines that are each possible, and cannot follow one another, are errors too.
func TestImpossibleLines(t *testing.T) {
	text := edited(t, testJournal(t), "trial", 0, func(object) {})
	lines := strings.SplitAfter(text, "\n")
	body := strings.Join(lines[1:], "")
	without := func(kind string) string {
		rest := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasPrefix(line, `{"`+kind) })
		return strings.Join(rest, "")
	}
	const limits = `{"limits":{"bandwidth":1e9,"flops":1e12}}` + "\n"
	const failure = `{"failure":{"engine":1,"point":{"study":"batch-size","value":1},"reason":"it broke"}}` + "\n"
	trial := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, `{"trial"`) })
	another := strings.Replace(lines[trial], `"trial":1,`, `"trial":2,`, 1)
	const done = `{"done":{"study":"batch-size","value":1}}` + "\n"
	for want, damaged := range map[string]string{
		"a line after the end of the run":         text + body,
		"another header":                          text + text,
		"engine 1 again":                          without("end") + body,
		"engine 1, which did not open":            without("engine"),
		"limits of the device again":              lines[0] + limits + limits + body,
		"bandwidth is 0":                          lines[0] + strings.Replace(limits, "1e9", "0", 1) + body,
		"flops is 0":                              lines[0] + strings.Replace(limits, "1e12", "0", 1) + body,
		"the failure of engine 1":                 lines[0] + failure + failure + body,
		"check is \"speed\"":                      lines[0] + strings.Replace(failure, `"reason"`, `"check":"speed","reason"`, 1) + body,
		"the end of batch size 1 again":           lines[0] + done + done + body,
		", which had no more":                     strings.Replace(text, `{"end"`, another+`{"end"`, 1),
		`the name "Trial" twice in one object`:    strings.Replace(text, `"trial":1`, `"trial":1,"Trial":2`, 1),
		`the name "elapsed_ns" twice`:             strings.Replace(text, `"elapsed_ns":`, `"elapsed_ns":5,"elapsed_ns":`, 1),
		"2 members, where a line has one":         strings.Replace(text, `{"engine":{`, `{"end":{},"engine":{`, 1),
		"exceeded max depth":                      lines[0] + strings.Repeat(`[`, 1e6) + "\n" + body,
		"json: cannot unmarshal array into Go va": lines[0] + "[]\n" + body,
		"line 2 of the journal: it is empty":      lines[0] + "\n" + body,
		"line 1 of the journal: it is empty":      "",
	} {
		_, err := journal.Read(strings.NewReader(damaged))
		assert.ErrorContains(t, err, want)
	}
}
