package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Tokenizer turns text into token IDs and back. *vllmgo.Tokenizer satisfies it.
type Tokenizer interface {
	// Encode turns text into token IDs, with the special tokens that the tokenizer adds to each text.
	Encode(ctx context.Context, text string) ([]int32, error)
	// Decode turns token IDs into text.
	Decode(ctx context.Context, ids []int32) (string, error)
	// VocabSize is the number of token IDs, special ones included.
	VocabSize() int
	// SpecialTokenIDs are the IDs that stand for no text.
	SpecialTokenIDs() []int32
}

const (
	// textDraws and textRepairs bound the search for a text: that many times it begins with new tokens, and
	// each time it mends the text so often.
	textDraws   = 200
	textRepairs = 20
)

// textMaker makes texts of an exact number of tokens.
type textMaker struct {
	tokenizer  Tokenizer
	name       string // of the tokenizer, for errors
	vocabulary Vocabulary
}

// text returns a text that the tokenizer encodes as exactly n tokens, the special ones that it adds included, and
// those tokens. They survive: decoding them without the special ones and encoding the text again gives the
// same. The text starts with the prefix, which must be a text of this function's or empty.
//
// Random tokens do not do by themselves: neighbours merge, bytes form no character, spaces vanish. So it
// encodes what they decode to, cuts what is too long, appends what is missing, and begins again, until the length
// is right and stays. When the bound is reached, the error names tokenizer and length.
func (m textMaker) text(ctx context.Context, r *rand.Rand, prefix []int32, n int) (string, []int32, error) {
	fail := func(why string) (string, []int32, error) {
		return "", nil, fmt.Errorf("no text of exactly %d tokens for the tokenizer %s: %s; choose another length, or prompts of token IDs", n, m.name, why)
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
	return fail(fmt.Sprintf("%d random texts, each mended up to %d times, came out otherwise", textDraws, textRepairs))
}

// content is ids without those that prompts may not contain.
func (m textMaker) content(ids []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return !m.vocabulary.contains(id) })
}
