package workload

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"vllmgo/internal/fake"
)

// odd is a tokenizer of bytes that changes what it encodes and decodes, and counts its calls. The
// IDs 256 and 257 are special.
type odd struct {
	fake.ByteTokenizer
	before, after int
	encodes       func(ids []int32) []int32 // nil: as they are
	decodes       func(text string) string
	calls         *int
}

func (odd) VocabSize() int { return 258 }

func (odd) SpecialTokenIDs() []int32 { return []int32{256, 257} }

func (o odd) Decode(ctx context.Context, ids []int32) (string, error) {
	*o.calls++
	text, err := o.ByteTokenizer.Decode(ctx, ids)
	if o.decodes != nil {
		text = o.decodes(text)
	}
	return text, err
}

func (o odd) EncodePlain(ctx context.Context, text string) ([]int32, error) {
	*o.calls++
	ids, err := o.ByteTokenizer.Encode(ctx, text)
	if o.encodes != nil {
		ids = o.encodes(ids)
	}
	return ids, err
}

func (o odd) Encode(ctx context.Context, text string) ([]int32, error) {
	ids, err := o.EncodePlain(ctx, text)
	return slices.Concat(slices.Repeat([]int32{256}, o.before), ids, slices.Repeat([]int32{257}, o.after)), err
}

// each returns a function that changes each ID.
func each(change func(int32) int32) func([]int32) []int32 {
	return func(ids []int32) []int32 {
		changed := make([]int32, len(ids))
		for i, id := range ids {
			changed[i] = change(id)
		}
		return changed
	}
}

// characters replaces bytes that are no character, as decoders do.
func characters(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

func oddTokenizers() map[string]odd {
	return map[string]odd{
		"bytes":                 {},
		"bytes of characters":   {decodes: characters},
		"BOS":                   {before: 1, decodes: characters},
		"EOS":                   {after: 1, decodes: characters},
		"BOS and EOS":           {before: 1, after: 1, decodes: characters},
		"three and two":         {before: 3, after: 2},
		"lower case":            {decodes: strings.ToLower},
		"no spaces":             {before: 1, decodes: strings.TrimSpace},
		"no text":               {decodes: func(string) string { return "" }},
		"four bytes":            {before: 1, encodes: each(func(id int32) int32 { return id % 4 })},
		"one byte":              {encodes: each(func(int32) int32 { return 7 })},
		"unknown":               {encodes: each(func(int32) int32 { return 256 })},
		"special in the middle": {encodes: func(ids []int32) []int32 { return slices.Insert(slices.Clone(ids), len(ids)/2, 257) }},
		"growing":               {encodes: func(ids []int32) []int32 { return slices.Concat(ids, ids) }},
		"shrinking":             {encodes: func(ids []int32) []int32 { return ids[:len(ids)/2] }},
		"next":                  {encodes: each(func(id int32) int32 { return (id + 1) % 256 })},
		"pairs":                 {encodes: slices.Compact[[]int32]},
		"five texts": {encodes: func(ids []int32) []int32 {
			first := append(slices.Clone(ids), 0)[0] % 5
			return each(func(int32) int32 { return first })(ids)
		}},
	}
}

// However odd the tokenizer is, the search ends soon: with an error, or with prompts of exact
// lengths that differ and share what they must.
func TestOddTokenizers(t *testing.T) {
	for name, tokenizer := range oddTokenizers() {
		t.Run(name, func(t *testing.T) {
			drawn := 0
			rapid.Check(t, func(t *rapid.T) {
				calls := 0
				tokenizer.calls = &calls
				p := Point{Study: "odd", Value: 1, OutputLen: 1,
					Requests:     rapid.IntRange(1, 40).Draw(t, "requests"),
					InputLen:     rapid.SampledFrom([]int{1, 2, 3, 4, 7, 30}).Draw(t, "length"),
					SharedPrefix: rapid.SampledFrom([]int{0, 0, 1, 2, 4}).Draw(t, "prefix")}
				r, err := textRequests(t, tokenizer, rapid.Uint64().Draw(t, "seed")).Point(context.Background(), p)
				require.Less(t, calls, 300_000)
				if err != nil {
					return
				}
				for trial := range 2 {
					if pass, err := r.Trial(context.Background(), trial+1); err == nil {
						checkTexts(t, tokenizer, r, p, append(slices.Clone(r.WarmUp), pass))
						drawn++
					}
				}
				require.Less(t, calls, 600_000)
			})
			impossible := []string{"no text", "one byte", "unknown", "special in the middle", "growing", "shrinking", "next", "five texts"}
			assert.Equal(t, slices.Contains(impossible, name), drawn == 0)
		})
	}
}

// checkTexts checks the prompts of the passes of a point.
func checkTexts(t *rapid.T, tokenizer odd, r *PointRequests, p Point, passes [][]Request) {
	seen := map[string]bool{string(tokenBytes(r.Single[0].TokenIDs)): true}
	for _, pass := range passes {
		require.Len(t, pass, p.Requests)
		for _, request := range pass {
			ids, err := tokenizer.Encode(context.Background(), request.Text)
			require.NoError(t, err)
			require.Equal(t, request.TokenIDs, ids)
			require.Len(t, ids, p.InputLen)
			require.Equal(t, r.Single[0].TokenIDs[:p.SharedPrefix], ids[:p.SharedPrefix])
			require.False(t, seen[string(tokenBytes(ids))], "twice")
			seen[string(tokenBytes(ids))] = true
		}
	}
}

// What is possible is counted: no more is refused, and no less.
func TestFewTexts(t *testing.T) {
	calls := 0
	few := func(name string) odd {
		tokenizer := oddTokenizers()[name]
		tokenizer.calls = &calls
		return tokenizer
	}
	words := pieces{vocabulary: []string{"[CLS]", "[SEP]"}, before: []int32{0}, after: []int32{1}, continues: "##"}
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			words.vocabulary = append(words.vocabulary, string([]rune{a, b}), "##"+string([]rune{a, b}))
		}
	}
	for _, c := range []struct {
		tokenizer        Tokenizer
		length           int
		possible, refuse int // requests
		why              string
	}{
		{few("bytes of characters"), 1, 21, 22, "133 distinct texts of exactly 1 tokens are needed, warm-up included, of the tokenizer the fake, and it has 128"},
		{few("BOS"), 2, 21, 700, "4201 distinct texts of exactly 2 tokens"},
		{words, 3, 112, 113, "679 distinct texts of exactly 3 tokens are needed, warm-up included, of the tokenizer the fake, and it has 676"},
	} {
		p := testPoint(c.refuse, c.length, 1)
		_, err := textRequests(t, c.tokenizer, 0).Point(t.Context(), p)
		if assert.Error(t, err) && !strings.Contains(err.Error(), "more than a vocabulary of") {
			assert.ErrorContains(t, err, c.why)
		}
		r, err := textRequests(t, c.tokenizer, 0).Point(t.Context(), testPoint(c.possible, c.length, 1))
		require.NoError(t, err)
		for trial := range 3 {
			_, err := r.Trial(t.Context(), trial+1)
			require.NoError(t, err)
		}
	}
}

// The tokens that prompts share are counted as the engine sees them.
func TestSharedPrefixIsExact(t *testing.T) {
	calls := 0
	for name, want := range map[string]string{"BOS": "", "EOS": "", "BOS and EOS": "", "bytes": "", "three and two": "share 3 special tokens"} {
		tokenizer := oddTokenizers()[name]
		tokenizer.calls = &calls
		p := testPoint(20, 40, 1)
		for _, shared := range []int{16, 33} {
			p.SharedPrefix = shared
			r, err := textRequests(t, tokenizer, 0).Point(t.Context(), p)
			require.NoError(t, err)
			first, differ := r.Single[0].TokenIDs, false
			for _, request := range r.WarmUp[0] {
				assert.Equal(t, first[:shared], request.TokenIDs[:shared], name)
				differ = differ || first[shared] != request.TokenIDs[shared]
			}
			assert.True(t, differ, "%s shares more than %d", name, shared)
		}
		p.SharedPrefix = 2
		if _, err := textRequests(t, tokenizer, 0).Point(t.Context(), p); want != "" {
			assert.ErrorContains(t, err, want)
		} else {
			assert.NoError(t, err)
		}
		p.SharedPrefix = 39 - tokenizer.after + 1
		_, err := textRequests(t, tokenizer, 0).Point(t.Context(), p)
		assert.Error(t, err, "no token is left")
	}
}
