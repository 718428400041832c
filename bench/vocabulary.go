package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Vocabulary is the set of token IDs that synthetic prompts are made of.
type Vocabulary struct {
	ids []int32
}

// NewVocabulary is the IDs 0 to size−1 without the special ones. Size and special IDs come from a tokenizer
// (vllmgo.Tokenizer) or, without one, from a vllmgo.ModelConfig. It returns an error when no ID is left.
func NewVocabulary(size int, special []int32) (Vocabulary, error) {
	if size > math.MaxInt32 {
		return Vocabulary{}, fmt.Errorf("bench: a vocabulary of %d tokens exceeds 32-bit token IDs", size)
	}
	var ids []int32
	for id := range int32(max(size, 0)) {
		if !slices.Contains(special, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return Vocabulary{}, fmt.Errorf("bench: a vocabulary of %d tokens, %d of them special, leaves none for prompts", size, len(special))
	}
	return Vocabulary{ids: ids}, nil
}

// Size is the number of token IDs that prompts may contain.
func (v Vocabulary) Size() int { return len(v.ids) }

// random draws an ID.
func (v Vocabulary) random(r *rand.Rand) int32 { return v.ids[r.IntN(len(v.ids))] }

// contains reports whether prompts may contain an ID.
func (v Vocabulary) contains(id int32) bool {
	_, found := slices.BinarySearch(v.ids, id)
	return found
}

// canGive reports whether n distinct prompts of the given length exist.
func (v Vocabulary) canGive(n, length int) bool {
	distinct := 1
	for range length {
		if distinct >= n || len(v.ids) == 1 {
			break
		}
		distinct *= len(v.ids) // at most n·len(ids): far from overflow
	}
	return distinct >= n
}
