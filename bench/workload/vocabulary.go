package workload

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Vocabulary is the set of token IDs that prompts are made of. In JSON it is {"size": 50272,
// "without": [1, 2]}: the IDs from 0 to size−1 except those listed.
type Vocabulary struct {
	ids []int32
}

// vocabularyJSON is a Vocabulary in JSON.
type vocabularyJSON struct {
	Size    int     `json:"size"`
	Without []int32 `json:"without,omitempty"`
}

// MarshalJSON encodes the vocabulary by its size and the IDs that it lacks.
func (v Vocabulary) MarshalJSON() ([]byte, error) {
	var j vocabularyJSON
	for _, id := range v.ids {
		for ; int32(j.Size) < id; j.Size++ {
			j.Without = append(j.Without, int32(j.Size))
		}
		j.Size++
	}
	return json.Marshal(j)
}

// UnmarshalJSON decodes what MarshalJSON encodes.
func (v *Vocabulary) UnmarshalJSON(text []byte) error {
	var j vocabularyJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	made, err := NewVocabulary(j.Size, j.Without)
	*v = made
	return err
}

// mostIDs is the greatest size of a vocabulary, far more than any model's. It bounds what is
// allocated for a number that was read.
const mostIDs = 1 << 24

// NewVocabulary returns the IDs from 0 to size−1 except the given ones: those that are special, and
// those that no token has. They come from a vllmgo.Tokenizer or, when the model has none, from a
// vllmgo.ModelConfig. It returns an error when no ID is left.
func NewVocabulary(size int, special []int32) (Vocabulary, error) {
	if size > mostIDs {
		return Vocabulary{}, fmt.Errorf("bench: a vocabulary of %d tokens; no model has more than %d", size, mostIDs)
	}
	excluded := make(map[int32]bool, len(special))
	for _, id := range special {
		excluded[id] = true
	}
	var ids []int32
	for id := range int32(max(size, 0)) {
		if !excluded[id] {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return Vocabulary{}, fmt.Errorf(
			"bench: a vocabulary of %d tokens, %d of them special, leaves none for prompts",
			size,
			len(special),
		)
	}
	return Vocabulary{ids: ids}, nil
}

// Size returns the number of IDs.
func (v Vocabulary) Size() int { return len(v.ids) }

// Highest returns the highest ID. It panics when the vocabulary is empty.
func (v Vocabulary) Highest() int32 { return v.ids[len(v.ids)-1] }

// random returns a random ID.
func (v Vocabulary) random(r *rand.Rand) int32 { return v.ids[r.IntN(len(v.ids))] }

// contains reports whether prompts may contain an ID.
func (v Vocabulary) contains(id int32) bool {
	_, found := slices.BinarySearch(v.ids, id)
	return found
}

// mostContents is the highest number that [Vocabulary.contents] returns.
const mostContents = 1 << 30

// contents returns the number of different contents of so many tokens, or mostContents when there
// are more.
func (v Vocabulary) contents(tokens int) int {
	n := 1
	for range tokens {
		if len(v.ids) == 1 || n == mostContents {
			break
		}
		n = min(n*len(v.ids), mostContents) // below 2⁶¹: far from overflow
	}
	return n
}
