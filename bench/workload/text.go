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
	// VocabSize returns one more than the highest token ID, special ones included.
	VocabSize() int
	// MissingTokenIDs returns the IDs below VocabSize that no token has.
	MissingTokenIDs() []int32
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
	// before and after are the numbers of special tokens that the tokenizer adds at the two ends of
	// each text. What is between them is the content.
	before, after int
}

// newTextMaker returns what makes texts of the prompts.
func (q Requests) newTextMaker(ctx context.Context, r *rand.Rand) (*textMaker, error) {
	m := &textMaker{tokenizer: q.Tokenizer, name: q.TokenizerName, vocabulary: q.Vocabulary}
	for range textDraws {
		text, err := m.tokenizer.Decode(ctx, m.random(r, nil, 4))
		if err != nil {
			return nil, err
		}
		content, err := m.tokenizer.EncodePlain(ctx, text)
		if err != nil {
			return nil, err
		}
		ids, err := m.tokenizer.Encode(ctx, text)
		if err != nil {
			return nil, err
		}
		for m.before = range max(0, len(ids)-len(content)+1) {
			m.after = len(ids) - m.before - len(content)
			if len(content) > 0 && slices.Equal(ids[m.before:len(ids)-m.after], content) {
				return m, nil
			}
		}
	}
	return nil, fmt.Errorf(
		"the tokenizer %s adds special tokens within texts, or drops them: choose prompts of token IDs", m.name)
}

// special returns the number of special tokens of each text.
func (m *textMaker) special() int { return m.before + m.after }

// random returns prefix with random tokens after it, length in all.
func (m *textMaker) random(r *rand.Rand, prefix []int32, length int) []int32 {
	content := slices.Clone(prefix)
	for len(content) < length {
		content = append(content, m.vocabulary.random(r))
	}
	return content
}

// encoded is a text with its tokens.
type encoded struct {
	text string
	ids  []int32 // special ones included
}

// encode decodes content and encodes the result again. It reports whether that gives the same
// content between the special tokens.
func (m *textMaker) encode(ctx context.Context, content []int32) (e encoded, stable bool, err error) {
	if e.text, err = m.tokenizer.Decode(ctx, content); err != nil {
		return e, false, err
	}
	if e.ids, err = m.tokenizer.Encode(ctx, e.text); err != nil {
		return e, false, err
	}
	return e, len(e.ids) == len(content)+m.special() && slices.Equal(m.inner(e.ids), content), nil
}

// inner returns the content of a text's tokens.
func (m *textMaker) inner(ids []int32) []int32 { return ids[m.before : len(ids)-m.after] }

// text returns a text of exactly n tokens, with the special tokens that the tokenizer adds. Its
// content is stable: decoding it, and encoding the result, gives the same tokens. The content
// starts with prefix, which must be empty or the content of a text that this method returned.
//
// Random tokens are not stable by themselves: neighbors merge, bytes do not form a character,
// spaces vanish. The method therefore encodes the text that they decode to, cuts what is too long,
// appends what is missing, and repeats this until the length is right and stays. Its attempts are
// bounded; the error then names the tokenizer and the length.
func (m *textMaker) text(ctx context.Context, r *rand.Rand, prefix []int32, n int) (encoded, error) {
	want := n - m.special()
	for range textDraws {
		content := prefix
		for range textRepairs {
			content = m.random(r, content, want)[:want]
			e, stable, err := m.encode(ctx, content)
			if err != nil || stable {
				return e, err
			}
			content = m.content(e.ids)
			if len(content) < len(prefix) || !slices.Equal(content[:len(prefix)], prefix) {
				break // the seam changed the prefix
			}
		}
	}
	return encoded{}, fmt.Errorf(
		"no text of exactly %d tokens for the tokenizer %s: %d random texts, each repaired up to %d times, "+
			"had another length; choose another length, or prompts of token IDs",
		n, m.name, textDraws, textRepairs)
}

// list returns all texts whose content is prefix and then so many tokens, in random order, or the
// first that are found when there are more than most. It tries each content once.
func (m *textMaker) list(ctx context.Context, r *rand.Rand, prefix []int32, tokens, most int) ([]encoded, error) {
	var all []encoded
	for _, number := range r.Perm(m.vocabulary.contents(tokens)) {
		content := slices.Clone(prefix)
		for range tokens {
			content = append(content, m.vocabulary.ids[number%m.vocabulary.Size()])
			number /= m.vocabulary.Size()
		}
		e, stable, err := m.encode(ctx, content)
		if err != nil {
			return nil, err
		}
		if stable {
			all = append(all, e)
		}
		if len(all) == most {
			break
		}
	}
	return all, nil
}

// content returns ids without those that prompts may not contain.
func (m *textMaker) content(ids []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return !m.vocabulary.contains(id) })
}
