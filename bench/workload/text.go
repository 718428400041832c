package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Tokenizer turns text into token IDs and back. *vllmgo.Tokenizer implements it.
type Tokenizer interface {
	// Encode returns the token IDs of a text, with the special tokens that the tokenizer adds to
	// each text.
	Encode(ctx context.Context, text string) ([]int32, error)
	// EncodePlain returns the token IDs of a text alone.
	EncodePlain(ctx context.Context, text string) ([]int32, error)
	// Decode returns the text of token IDs.
	Decode(ctx context.Context, ids []int32) (string, error)
	// VocabSize returns the number of token IDs, special ones included.
	VocabSize() int
	// SpecialTokenIDs returns the IDs that stand for no text.
	SpecialTokenIDs() []int32
}

const (
	// textDraws is how often the search for a text starts with new tokens.
	textDraws = 200
	// textRepairs is how often it repairs the text each time.
	textRepairs = 20
)

// textMaker makes texts of an exact number of tokens.
type textMaker struct {
	tokenizer  Tokenizer
	name       string // of the tokenizer, for errors
	vocabulary Vocabulary
}

// text returns a text of exactly n tokens, with the special tokens that the tokenizer adds, and
// these tokens. They are stable: decoding them without the special ones, and encoding the result,
// gives the same tokens. The text starts with prefix, which must be empty or the content of a text
// that this method returned.
//
// Random tokens are not stable by themselves: neighbors merge, bytes do not form a character,
// spaces vanish. The method therefore encodes the text that they decode to, cuts what is too long,
// appends what is missing, and repeats this until the length is right and stays. Its attempts are
// bounded; the error then names the tokenizer and the length.
func (m textMaker) text(ctx context.Context, r *rand.Rand, prefix []int32, n int) (string, []int32, error) {
	fail := func(why string) (string, []int32, error) {
		return "", nil, fmt.Errorf(
			"no text of exactly %d tokens for the tokenizer %s: %s; choose another length, or prompts of token IDs",
			n,
			m.name,
			why,
		)
	}
	empty, err := m.tokenizer.Encode(ctx, "")
	if err != nil {
		return "", nil, err
	}
	added := len(empty)
	want := n - added
	if want < 1 {
		return fail(fmt.Sprintf("it adds %d special tokens to each text", added))
	}
	for range textDraws {
		content := slices.Clone(prefix)
		for range textRepairs {
			for len(content) < want {
				content = append(content, m.vocabulary.random(r))
			}
			text, err := m.tokenizer.Decode(ctx, content[:want])
			if err != nil {
				return "", nil, err
			}
			ids, err := m.tokenizer.Encode(ctx, text)
			if err != nil {
				return "", nil, err
			}
			again := m.content(ids)
			if len(ids) == n && slices.Equal(again, content[:want]) {
				return text, ids, nil
			}
			content = again
			if len(content) < len(prefix) || !slices.Equal(content[:len(prefix)], prefix) {
				break // the seam changed the prefix
			}
		}
	}
	return fail(fmt.Sprintf("%d random texts, each repaired up to %d times, had another length", textDraws, textRepairs))
}

// content returns ids without those that prompts may not contain.
func (m textMaker) content(ids []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return !m.vocabulary.contains(id) })
}
