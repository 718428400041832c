package fake

import (
	"context"
)

// ByteTokenizer has a token for each byte.
type ByteTokenizer struct{}

func (ByteTokenizer) Encode(_ context.Context, text string) ([]int32, error) {
	var ids []int32
	for _, b := range []byte(text) {
		ids = append(ids, int32(b))
	}
	return ids, nil
}

func (ByteTokenizer) Decode(_ context.Context, ids []int32) (string, error) {
	var b []byte
	for _, id := range ids {
		b = append(b, byte(id))
	}
	return string(b), nil
}

func (ByteTokenizer) VocabSize() int { return 256 }

func (ByteTokenizer) SpecialTokenIDs() []int32 { return nil }
