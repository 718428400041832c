package fake

import (
	"context"
)

// ByteTokenizer has a token for each byte.
type ByteTokenizer struct{}

// Encode returns the bytes of a text.
func (ByteTokenizer) Encode(_ context.Context, text string) ([]int32, error) {
	var ids []int32
	for _, b := range []byte(text) {
		ids = append(ids, int32(b))
	}
	return ids, nil
}

// EncodePlain returns the bytes of a text.
func (t ByteTokenizer) EncodePlain(ctx context.Context, text string) ([]int32, error) {
	return t.Encode(ctx, text)
}

// Decode returns the text of bytes.
func (ByteTokenizer) Decode(_ context.Context, ids []int32) (string, error) {
	var b []byte
	for _, id := range ids {
		b = append(b, byte(id))
	}
	return string(b), nil
}

// VocabSize returns 256.
func (ByteTokenizer) VocabSize() int { return 256 }

// MissingTokenIDs returns none.
func (ByteTokenizer) MissingTokenIDs() []int32 { return nil }

// SpecialTokenIDs returns none.
func (ByteTokenizer) SpecialTokenIDs() []int32 { return nil }

// Letters is a tokenizer with a token for each of the first hundred characters from the space on.
// The last is special.
type Letters struct{}

// Encode returns a token for each character.
func (Letters) Encode(_ context.Context, text string) ([]int32, error) {
	var ids []int32
	for _, r := range text {
		ids = append(ids, r-' ')
	}
	return ids, nil
}

// EncodePlain returns a token for each character.
func (t Letters) EncodePlain(ctx context.Context, text string) ([]int32, error) {
	return t.Encode(ctx, text)
}

// Decode returns the character of each token.
func (Letters) Decode(_ context.Context, ids []int32) (string, error) {
	var text []rune
	for _, id := range ids {
		text = append(text, ' '+id)
	}
	return string(text), nil
}

// VocabSize returns 100.
func (Letters) VocabSize() int { return 100 }

// MissingTokenIDs returns none.
func (Letters) MissingTokenIDs() []int32 { return nil }

// SpecialTokenIDs returns the last token.
func (Letters) SpecialTokenIDs() []int32 { return []int32{99} }
