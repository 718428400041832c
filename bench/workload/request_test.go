package workload

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func testPoint(requests, inputLen, outputLen int) Point {
	return Point{Study: string(BatchSize), Value: requests, Requests: requests, InputLen: inputLen, OutputLen: outputLen}
}

func testVocabulary(t *testing.T, size int, special ...int32) Vocabulary {
	t.Helper()
	v, err := NewVocabulary(size, special)
	require.NoError(t, err)
	return v
}

// passes are all of a point's passes that are not measured, and the first trials.
func passes(t require.TestingT, r *PointRequests, trials int) [][]Request {
	all := append([][]Request{r.Single}, r.WarmUp...)
	for trial := range trials {
		pass, err := r.Trial(context.Background(), trial+1)
		require.NoError(t, err)
		all = append(all, pass)
	}
	return all
}

func TestRequestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(10, 2000).Draw(t, "vocabulary")
		special := rapid.SliceOfN(rapid.Int32Range(0, int32(size)-1), 0, 5).Draw(t, "special")
		v, err := NewVocabulary(size, special)
		require.NoError(t, err)
		p := Point{Study: string(RequestCount), Value: 7, Requests: rapid.IntRange(1, 40).Draw(t, "requests")}
		p.SharedPrefix = rapid.IntRange(0, 5).Draw(t, "prefix")
		for range p.Requests {
			p.Lengths = append(p.Lengths, RequestLength{
				p.SharedPrefix + rapid.IntRange(4, 20).Draw(t, "input"), rapid.IntRange(1, 9).Draw(t, "output"),
			})
		}
		q := Requests{Vocabulary: v, Seed: rapid.Uint64().Draw(t, "seed")}
		r, err := q.Point(context.Background(), p)
		require.NoError(t, err)
		all := passes(t, r, 2)
		again, err := q.Point(context.Background(), p)
		require.NoError(t, err)
		require.Equal(t, all, passes(t, again, 2), "the same for ever")

		warm := map[string]bool{}
		for i, pass := range all {
			require.Len(t, pass, map[bool]int{true: 1, false: p.Requests}[i == 0])
			seen := map[string]bool{}
			for k, request := range pass {
				require.Len(t, request.TokenIDs, p.Lengths[k].Input)
				require.Equal(t, p.Lengths[k].Output, request.OutputLen)
				require.Empty(t, request.Text)
				require.Equal(t, all[0][0].TokenIDs[:p.SharedPrefix], request.TokenIDs[:p.SharedPrefix])
				key := string(tokenBytes(request.TokenIDs))
				require.False(t, seen[key] || warm[key], "prompt %v appears twice", request.TokenIDs)
				seen[key] = true
				for _, id := range request.TokenIDs {
					require.True(t, id >= 0 && int(id) < size && !slices.Contains(special, id))
				}
			}
			if i <= warmUpPasses {
				for key := range seen {
					warm[key] = true
				}
			}
		}
		require.Equal(t, p.InputTokens(), tokensOf(all[1]))
	})
}

func tokensOf(pass []Request) int {
	n := 0
	for _, r := range pass {
		n += len(r.TokenIDs)
	}
	return n
}

func TestRequestsUseTheWholeVocabulary(t *testing.T) {
	r, err := Requests{Vocabulary: testVocabulary(t, 6, 0, 3)}.Point(t.Context(), testPoint(30, 4, 8))
	require.NoError(t, err)
	used := map[int32]bool{}
	for _, request := range r.WarmUp[0] {
		for _, id := range request.TokenIDs {
			used[id] = true
		}
	}
	assert.Equal(t, map[int32]bool{1: true, 2: true, 4: true, 5: true}, used, "all but the special IDs")
}

func TestRequestsDependOnAll(t *testing.T) {
	v := testVocabulary(t, 1000)
	draw := func(p Point, trial int, seed uint64) string {
		r, err := Requests{Vocabulary: v, Seed: seed}.Point(t.Context(), p)
		require.NoError(t, err)
		pass, err := r.Trial(t.Context(), trial)
		require.NoError(t, err)
		return HashRequests(pass)
	}
	first := draw(testPoint(8, 16, 4), 1, 42)
	assert.Equal(t, first, draw(testPoint(8, 16, 4), 1, 42))
	assert.NotEqual(t, first, draw(testPoint(8, 16, 4), 1, 43), "another seed")
	assert.NotEqual(t, first, draw(testPoint(8, 16, 4), 2, 42), "another trial")
	assert.NotEqual(t, first, draw(testPoint(9, 16, 4), 1, 42), "another point")
}

// A seed gives the same prompts for ever: journals refer to them by seed and hash.
func TestRequestsArePinned(t *testing.T) {
	r, err := Requests{Vocabulary: testVocabulary(t, 50272, 1, 2)}.Point(t.Context(), testPoint(2, 3, 1))
	require.NoError(t, err)
	pass, err := r.Trial(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, "10cdfc17cd14fc66559547faa1ce08e768a89b8f176511b06aeb55c7a239cd9b", HashRequests(pass))
}

func TestImpossibleRequests(t *testing.T) {
	point := func(v Vocabulary, p Point) error {
		_, err := Requests{Vocabulary: v}.Point(t.Context(), p)
		return err
	}
	v := testVocabulary(t, 3, 2)
	assert.ErrorContains(t, point(v, testPoint(3, 4, 1)), "needs 19 distinct prompts of 4 tokens, warm-up included, more than a vocabulary of 2 tokens can give")
	assert.NoError(t, point(v, testPoint(3, 5, 1)))
	prefixed := testPoint(3, 5, 1)
	prefixed.SharedPrefix = 1
	assert.ErrorContains(t, point(v, prefixed), "needs 19 distinct prompts of 4 tokens")
	prefixed.SharedPrefix = 5
	assert.ErrorContains(t, point(v, prefixed), "leaves no token after the shared prefix of 5")

	assert.ErrorContains(t, point(testVocabulary(t, 1), testPoint(1, 100, 1)), "more than a vocabulary of 1 tokens can give")
	for _, p := range []Point{testPoint(0, 1, 1), testPoint(1, 0, 1), testPoint(1, 1, 0)} {
		assert.ErrorContains(t, point(v, p), "at least 1")
	}
	for _, p := range []Point{testPoint(1, maxLength+1, 1), testPoint(1, 1, maxLength+1), testPoint(1, 1<<62, 1)} {
		assert.ErrorContains(t, point(v, p), "each must be at most 100000000")
	}
	few := testPoint(3, 5, 1)
	few.Lengths = []RequestLength{{5, 1}}
	assert.ErrorContains(t, point(v, few), "has 3 requests and the lengths of 1")
}

func TestVocabulary(t *testing.T) {
	assert.Equal(t, 50270, testVocabulary(t, 50272, 1, 2).Size())
	assert.Equal(t, 4, testVocabulary(t, 4, 100, -1).Size(), "special IDs outside the vocabulary")
	for _, size := range []int{0, -1} {
		_, err := NewVocabulary(size, nil)
		assert.ErrorContains(t, err, "leaves none")
	}
	_, err := NewVocabulary(2, []int32{0, 1})
	assert.ErrorContains(t, err, "2 of them special")
	_, err = NewVocabulary(1<<40, nil)
	assert.ErrorContains(t, err, "no model has more than")
	v := testVocabulary(t, 10, 3)
	assert.True(t, v.contains(9))
	assert.False(t, v.contains(3))
	assert.False(t, v.contains(10))
}
