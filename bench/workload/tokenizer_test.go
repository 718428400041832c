package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"vllmgo/internal/fake"
)

// pieces is a tokenizer that always takes the longest piece that fits, so that neighbors merge
// across seams.
type pieces struct {
	vocabulary []string
	before     []int32 // special tokens that it adds to each text
	after      []int32
	// continues marks a piece that continues a word without a space, as in WordPiece.
	continues string
}

func (p pieces) VocabSize() int { return len(p.vocabulary) }

func (p pieces) MissingTokenIDs() []int32 { return nil }

func (p pieces) SpecialTokenIDs() []int32 { return []int32{0, 1} }

func (p pieces) Encode(ctx context.Context, text string) ([]int32, error) {
	ids, err := p.EncodePlain(ctx, text)
	return slices.Concat(p.before, ids, p.after), err
}

func (p pieces) EncodePlain(_ context.Context, text string) ([]int32, error) {
	var ids []int32
	words := []string{text}
	if p.continues != "" {
		words = strings.Fields(text)
	}
	for _, word := range words {
		mark := ""
		for word != "" {
			best, length := int32(-1), 0
			for id, piece := range p.vocabulary {
				if bare, ok := strings.CutPrefix(piece, mark); ok && len(bare) > length && strings.HasPrefix(word, bare) {
					best, length = int32(id), len(bare)
				}
			}
			if best < 0 {
				return nil, fmt.Errorf("no piece for %q", word)
			}
			ids = append(ids, best)
			word, mark = word[length:], p.continues
		}
	}
	return ids, nil
}

func (p pieces) Decode(_ context.Context, ids []int32) (string, error) {
	var text string
	for _, id := range ids {
		piece := p.vocabulary[id]
		if bare, ok := strings.CutPrefix(piece, p.continues); ok && p.continues != "" {
			text += bare
		} else if p.continues != "" {
			text += " " + piece
		} else {
			text += piece
		}
	}
	return strings.TrimPrefix(text, " "), nil
}

// fakeTokenizers are of every kind. Their first two tokens are special.
func fakeTokenizers() map[string]pieces {
	merging := []string{"<s>", "</s>", "a", "b", "c", "d", "ab", "abc", "bcd", "cd", "dab", "aa", "aaa"}
	words := []string{"[CLS]", "[SEP]", "a", "b", "c", "ab", "cab", "##a", "##b", "##c", "##ab", "##bca"}
	return map[string]pieces{
		"bpe":              {vocabulary: merging},
		"bpe with BOS":     {vocabulary: merging, before: []int32{0}},
		"bpe with EOS too": {vocabulary: merging, before: []int32{0}, after: []int32{1}},
		"wordpiece":        {vocabulary: words, before: []int32{0}, after: []int32{1}, continues: "##"},
	}
}

func textRequests(t require.TestingT, tokenizer Tokenizer, seed uint64) Requests {
	v, err := NewVocabulary(tokenizer.VocabSize(), tokenizer.SpecialTokenIDs())
	require.NoError(t, err)
	return Requests{Vocabulary: v, Seed: seed, Tokenizer: tokenizer, TokenizerName: "the fake"}
}

// Every text has exactly the tokens that the engine will see, and they survive decoding and
// encoding.
func TestTextProperties(t *testing.T) {
	for name, tokenizer := range fakeTokenizers() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				ctx := context.Background()
				q := textRequests(t, tokenizer, rapid.Uint64().Draw(t, "seed"))
				p := Point{Study: string(RequestCount), Value: 1, Requests: rapid.IntRange(1, 4).Draw(t, "requests"), OutputLen: 1,
					InputLen: rapid.IntRange(8, 60).Draw(t, "length"), SharedPrefix: rapid.SampledFrom([]int{0, 1, 2, 4}).Draw(t, "prefix")}
				r, err := q.Point(ctx, p)
				require.NoError(t, err)
				for _, pass := range passes(t, r, 1) {
					for _, request := range pass {
						ids, err := tokenizer.Encode(ctx, request.Text)
						require.NoError(t, err)
						require.Equal(t, request.TokenIDs, ids)
						require.Len(t, ids, p.InputLen)
						content := ids[len(tokenizer.before) : len(ids)-len(tokenizer.after)]
						text, err := tokenizer.Decode(ctx, content)
						require.NoError(t, err)
						require.Equal(t, request.Text, text)
						require.True(t, slices.Equal(r.Single[0].TokenIDs[:p.SharedPrefix], ids[:p.SharedPrefix]))
						require.Equal(t, request.Text, request.Prompt().Text)
						require.Empty(t, request.Prompt().TokenIDs)
					}
				}
			})
		})
	}
}

func TestImpossibleTexts(t *testing.T) {
	point := testPoint(1, 2, 1)
	_, err := textRequests(t, fakeTokenizers()["wordpiece"], 0).Point(t.Context(), point)
	assert.ErrorContains(t, err, "no text of exactly 2 tokens for the tokenizer the fake: it adds 2 special tokens to each text")

	_, err = textRequests(t, doubling{}, 0).Point(t.Context(), testPoint(1, 7, 1))
	assert.EqualError(t, err, "bench: request 1 of batch size 1: no text of exactly 7 tokens for the tokenizer the fake:"+
		" 200 random texts, each repaired up to 20 times, had another length; choose another length, or prompts of token IDs")
	_, err = textRequests(t, doubling{}, 0).Point(t.Context(), testPoint(1, 8, 1))
	assert.NoError(t, err, "even lengths it has")
}

// doubling is a tokenizer that knows no text of an odd number of tokens.
type doubling struct{ fake.ByteTokenizer }

func (d doubling) Encode(ctx context.Context, text string) ([]int32, error) {
	ids, err := d.ByteTokenizer.Encode(ctx, text)
	if len(ids)%2 == 1 {
		ids = append(ids, 'x')
	}
	return ids, err
}
