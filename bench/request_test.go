package bench

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

func testPoint(requests, inputLen, outputLen int) Point {
	return Point{Study: BatchSize, Value: requests, Requests: requests, InputLen: inputLen, OutputLen: outputLen}
}

func testVocabulary(t *testing.T, size int, special ...int32) Vocabulary {
	t.Helper()
	v, err := NewVocabulary(size, special)
	require.NoError(t, err)
	return v
}

func TestWorkload(t *testing.T) {
	v := testVocabulary(t, 6, 0, 3)
	w, err := v.Workload(testPoint(50, 4, 8), 1, 7)
	require.NoError(t, err)
	require.Len(t, w.Single, 1)
	require.Len(t, w.WarmUp, 50)
	require.Len(t, w.Measured, 50)

	seen := map[string]bool{}
	used := map[int32]bool{}
	for _, prompts := range [][]vllmgo.Prompt{w.Single, w.WarmUp, w.Measured} {
		for _, p := range prompts {
			assert.Len(t, p.TokenIDs, 4)
			assert.Empty(t, p.Text)
			key := string(tokenBytes(p.TokenIDs))
			assert.False(t, seen[key], "prompt %v appears twice", p.TokenIDs)
			seen[key] = true
			for _, id := range p.TokenIDs {
				used[id] = true
			}
		}
	}
	assert.Equal(t, map[int32]bool{1: true, 2: true, 4: true, 5: true}, used, "all but the special IDs")
}

func TestWorkloadIsReproducible(t *testing.T) {
	v := testVocabulary(t, 1000)
	draw := func(p Point, trial int, seed uint64) string {
		w, err := v.Workload(p, trial, seed)
		require.NoError(t, err)
		return hashPrompts(w.Measured)
	}
	first := draw(testPoint(8, 16, 4), 1, 42)
	assert.Equal(t, first, draw(testPoint(8, 16, 4), 1, 42))
	assert.NotEqual(t, first, draw(testPoint(8, 16, 4), 1, 43), "another seed")
	assert.NotEqual(t, first, draw(testPoint(8, 16, 4), 2, 42), "another trial")
	assert.NotEqual(t, first, draw(testPoint(9, 16, 4), 1, 42), "another point")

	w, err := v.Workload(testPoint(1, 16, 4), 1, 42)
	require.NoError(t, err)
	assert.NotEqual(t, w.Single, w.WarmUp)
	assert.NotEqual(t, w.WarmUp, w.Measured)
}

// A seed gives the same prompts for ever: journals refer to them by seed and hash.
func TestWorkloadIsPinned(t *testing.T) {
	w, err := testVocabulary(t, 50272, 1, 2).Workload(testPoint(2, 3, 1), 1, 0)
	require.NoError(t, err)
	assert.Equal(t, "10cdfc17cd14fc66559547faa1ce08e768a89b8f176511b06aeb55c7a239cd9b", hashPrompts(w.Measured))
}

func TestWorkloadImpossible(t *testing.T) {
	v := testVocabulary(t, 3, 2)
	_, err := v.Workload(testPoint(4, 3, 1), 1, 0) // 1 + 2·4 prompts, and 2³ exist
	assert.ErrorContains(t, err, "needs 9 distinct prompts of 3 tokens")
	w, err := v.Workload(testPoint(3, 3, 1), 1, 0)
	require.NoError(t, err)
	assert.Len(t, w.Measured, 3)

	_, err = testVocabulary(t, 1).Workload(testPoint(1, 100, 1), 1, 0)
	assert.ErrorContains(t, err, "more than a vocabulary of 1 tokens can give")
	for _, p := range []Point{testPoint(0, 1, 1), testPoint(1, 0, 1), testPoint(1, 1, 0)} {
		_, err := v.Workload(p, 1, 0)
		assert.ErrorContains(t, err, "must be at least 1")
	}
}

func TestVocabulary(t *testing.T) {
	assert.Equal(t, 50270, testVocabulary(t, 50272, 1, 2).Size())
	assert.Equal(t, 4, testVocabulary(t, 4, 100, -1).Size(), "special IDs outside the vocabulary")
	for _, size := range []int{-1, 0, 2} {
		_, err := NewVocabulary(size, []int32{0, 1})
		assert.ErrorContains(t, err, "leaves none for prompts")
	}
}
