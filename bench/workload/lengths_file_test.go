package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"vllmgo/internal/fake"
)

// sampleAll returns the lengths of a file's requests in ascending order.
func sampleAll(t require.TestingT, text string, tokenizer Tokenizer, n int) ([]RequestLength, LengthsFile) {
	lengths, file, err := SampleLengths(context.Background(), strings.NewReader(text), tokenizer, n, 5)
	require.NoError(t, err, text)
	slices.SortFunc(lengths, func(a, b RequestLength) int { return a.Input - b.Input })
	return lengths, file
}

func TestSampleLengths(t *testing.T) {
	shareGPT := `[{"id": "x", "conversations": [{"from": "human", "value": "question"}, {"from": "gpt", "value": "yes"}, {"value": "more"}]},
		{"conversations": [{"value": "alone"}]}, {"conversations": []},
		{"conversations": [{"value": "asked"}, {"value": ""}]}, {"conversations": [{"value": ""}, {"value": "unasked"}]}]`
	for text, want := range map[string]struct {
		lengths []RequestLength
		leftOut int
	}{
		"{\"input_len\": 3, \"output_len\": 4}\n\n{\"prompt\": \"hello\", \"completion\": \"ab\"}\n": {[]RequestLength{{3, 4}, {5, 2}}, 0},
		"\ufeff{\"input_len\": 3, \"output_len\": 4}":                                                {[]RequestLength{{3, 4}}, 0},
		"\ufeff \n[{\"input_len\": 3, \"output_len\": 4}]\n":                                         {[]RequestLength{{3, 4}}, 0},
		shareGPT: {[]RequestLength{{8, 3}}, 4},
		`{"prompt": "", "completion": "x"}{"prompt": "x", "completion": "yz"}`: {[]RequestLength{{1, 2}}, 1},
		`{"input_len": 100000000, "output_len": 1}`:                            {[]RequestLength{{maxLength, 1}}, 0},
	} {
		lengths, file := sampleAll(t, text, fake.ByteTokenizer{}, len(want.lengths))
		assert.Equal(t, want.lengths, lengths, text)
		assert.Equal(t, LengthsFile{len(want.lengths), want.leftOut}, file, text)
	}
}

// Prompts are as long as the engine sees them, and completions as it makes them.
func TestSampleLengthsSpecialTokens(t *testing.T) {
	tokenizer := pieces{vocabulary: []string{"<s>", "</s>", "a", "b"}, before: []int32{0}, after: []int32{1}}
	lengths, _ := sampleAll(t, `{"prompt": "aab", "completion": "ba"}`, tokenizer, 1)
	assert.Equal(t, []RequestLength{{5, 2}}, lengths)
	words := fakeTokenizers()["wordpiece"]
	lengths, file := sampleAll(t, `{"prompt": "a", "completion": " "}{"prompt": "a", "completion": "b"}`, words, 1)
	assert.Equal(t, []RequestLength{{3, 1}}, lengths)
	assert.Equal(t, LengthsFile{Requests: 1, LeftOut: 1}, file, "a completion of no token")
}

func TestBadLengths(t *testing.T) {
	sample := func(text string, tokenizer Tokenizer) error {
		_, _, err := SampleLengths(t.Context(), strings.NewReader(text), tokenizer, 1, 0)
		return err
	}
	for text, want := range map[string]string{
		"":                                    "the file has no request",
		"[]":                                  "the file has no request",
		"{":                                   "request 1: unexpected EOF",
		"[":                                   "after request 0: unexpected EOF",
		`[{"input_len":1,"output_len":1}`:     "after request 1: unexpected EOF",
		`[{"input_len":1,"output_len":1}]{}`:  "something follows the array of requests",
		`[{"input_len":1,"output_len":1},`:    "request 2: unexpected EOF",
		`{"a": 1}`:                            "request 1: it has neither",
		"null":                                "request 1: it has neither",
		`{"input_len": 1, "output_len":null}`: "request 1: it has neither",
		`{"input_len": 1, "output_len":0}`:    "a length is 0; it must be an integer from 1 to 100000000",
		`{"input_len": -3, "output_len":1}`:   "a length is -3; it must be",
		`{"input_len": 1.5, "output_len":1}`:  "a length is 1.5; it must be",
		`{"input_len": "7", "output_len":1}`:  `a length is "7"; it must be`,
		`{"input_len": 1e9, "output_len":1}`:  "a length is 1e9; it must be",
		`{"input_len": [], "output_len":1}`:   "a length is []; it must be",
		`{"input_len":9999999999}`:            "a length is 9999999999; it must be",
		`{"input_len":1,"output_len":1} 5`:    "request 2: json: cannot unmarshal",
		`{"prompt": "", "completion": ""}`:    "none of the file's 1 request has a prompt and a completion",
		`{"input_len": 100000001}`:            "it must be an integer from 1 to 100000000",
		strings.Repeat("9", 1000):             "request 1: json: cannot unmarshal",
		"\xff\xfe{\x00":                       "request 1: invalid character",
		`{"input_len":` + strings.Repeat("9", 1<<20) + `}`: "it must be an integer from 1 to 100000000",
	} {
		err := sample(text, fake.ByteTokenizer{})
		require.ErrorContains(t, err, want, "%.60s", text)
		assert.Less(t, len(err.Error()), 200)
	}
	assert.ErrorContains(t, sample(`{"prompt": "a", "completion": "b"}`, nil), "request 1: it is text, and there is no tokenizer")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := SampleLengths(ctx, strings.NewReader("["), nil, 1, 0)
	assert.ErrorIs(t, err, context.Canceled)
}

// file is a file of the requests 1/1, 2/2, …
func file(requests int) io.Reader {
	var text strings.Builder
	for i := range requests {
		fmt.Fprintf(&text, "{\"input_len\": %d, \"output_len\": %d}\n", i+1, i+1)
	}
	return strings.NewReader(text.String())
}

// A sample has requests of the file, each once before any twice, and in another order for each
// seed.
func TestSampleLengthsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		requests, n := rapid.IntRange(1, 200).Draw(t, "requests"), rapid.IntRange(1, 300).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		lengths, from, err := SampleLengths(context.Background(), file(requests), nil, n, seed)
		require.NoError(t, err)
		require.Len(t, lengths, n)
		require.Equal(t, LengthsFile{Requests: requests}, from)
		again, _, err := SampleLengths(context.Background(), file(requests), nil, n, seed)
		require.NoError(t, err)
		require.Equal(t, lengths, again)
		seen := map[int]int{}
		for i, l := range lengths {
			require.True(t, l.Input >= 1 && l.Input <= requests && l.Input == l.Output)
			require.Equal(t, i/requests, seen[l.Input], "each once before any twice")
			seen[l.Input]++
		}
	})
}

// Each request of a file is chosen as often as any other.
func TestSampleLengthsIsFair(t *testing.T) {
	const requests, n, draws = 20, 3, 4000
	chosen := make([]int, requests+1)
	for seed := range uint64(draws) {
		lengths, _, err := SampleLengths(t.Context(), file(requests), nil, n, seed)
		require.NoError(t, err)
		for _, l := range lengths {
			chosen[l.Input]++
		}
	}
	p := float64(n) / requests
	for i, count := range chosen[1:] {
		assert.InDelta(t, draws*p, count, 5*math.Sqrt(draws*p*(1-p)), "request %d", i+1)
	}
}

// counting is a tokenizer that counts the texts that it encodes.
type counting struct {
	Tokenizer
	texts *int
}

func (c counting) Encode(ctx context.Context, text string) ([]int32, error) {
	*c.texts++
	return c.Tokenizer.Encode(ctx, text)
}

// endless is a file of as many equal requests as fit into size bytes.
type endless struct {
	request string
	size    int
	at      int
}

func (e *endless) Read(b []byte) (n int, err error) {
	for n < len(b) && e.size > 0 {
		k := min(copy(b[n:], e.request[e.at:]), len(e.request))
		n, e.at = n+k, e.at+k
		if e.at == len(e.request) {
			e.size, e.at = e.size-len(e.request), 0
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// A file of 10 MB takes the memory and the tokenizer's time of what is kept.
func TestSampleLengthsKeepsLittle(t *testing.T) {
	texts := 0
	text := `{"prompt": "` + strings.Repeat("x", 800) + `", "completion": "` + strings.Repeat("y", 200) + "\"}\n"
	reader := &endless{request: text, size: 10 << 20}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	lengths, from, err := SampleLengths(t.Context(), reader, counting{fake.ByteTokenizer{}, &texts}, 100, 0)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Len(t, lengths, 100)
	assert.Greater(t, from.Requests, 10_000)
	assert.Less(t, texts, 1500, "of more than 10,000")
	assert.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(32<<20))
}

// No file makes a panic or a length that no model can hold.
func FuzzSampleLengths(f *testing.F) {
	for _, text := range []string{
		"", "[", "{}", "null", "\ufeff[]", `[{"input_len":1,"output_len":2}]`, `{"input_len":9999999999,"output_len":-1}`,
		`{"conversations":[{"value":"a"},{"value":"b"}]}`, `{"conversations":[{"value":""}]}`,
		"{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"\",\"completion\":\"b\"}", `[{"input_len":1.5}]]`,
	} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 1 + max(0, n)%50
		lengths, from, err := SampleLengths(t.Context(), strings.NewReader(text), fake.ByteTokenizer{}, n, 1)
		if err != nil {
			assert.ErrorContains(t, err, "bench: reading lengths: ")
			return
		}
		require.Len(t, lengths, n)
		for _, l := range lengths {
			require.True(t, l.Input >= 1 && l.Input <= max(maxLength, len(text)) && l.Output >= 1 && l.Output <= max(maxLength, len(text)))
		}
		require.Positive(t, from.Requests)
	})
}

func TestLengthsFileNotes(t *testing.T) {
	assert.Empty(t, LengthsFile{}.Notes(5))
	assert.Empty(t, LengthsFile{Requests: 5}.Notes(5))
	assert.Equal(t, []string{
		"the file of lengths has 3 requests, so its lengths are used up to 4 times each",
		"1 request of the file of lengths left out, for want of a prompt or a completion",
	}, LengthsFile{Requests: 3, LeftOut: 1}.Notes(10))
	text, err := json.Marshal(Point{Requests: 1})
	require.NoError(t, err)
	assert.NotContains(t, string(text), "lengths_file", "journals without a file stay as they are")
}
