package vllmgo

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestStreamJoinsWhatWaits shows that a slow consumer gets everything, in as many pieces as there
// are completions.
func TestStreamJoinsWhatWaits(t *testing.T) {
	s := &stream{ready: make(chan struct{}, 1)}
	piece := func(index int, text string, token int32, reason string) RequestOutput {
		return RequestOutput{Outputs: []CompletionOutput{{
			Index: index, Text: text, TokenIDs: []int32{token}, FinishReason: reason,
			Logprobs: [][]Logprob{{{TokenID: token}}}, CumulativeLogprob: -float64(token),
		}}}
	}
	s.push(piece(0, "a", 1, ""), false)
	assert.Len(t, s.take(), 1)
	s.push(piece(0, "b", 2, ""), false)
	s.push(piece(1, "x", 7, "length"), false)
	s.push(piece(0, "c", 3, "stop"), true)
	deltas := s.take()
	if assert.Len(t, deltas, 2) {
		assert.Equal(t, CompletionOutput{
			Index: 0, Text: "bc", TokenIDs: []int32{2, 3}, FinishReason: "stop", CumulativeLogprob: -3,
			Logprobs: [][]Logprob{{{TokenID: 2}}, {{TokenID: 3}}},
		}, deltas[0].CompletionOutput)
		assert.Equal(t, 1, deltas[1].Index)
		assert.NotNil(t, deltas[1].Request, "the last delta has the request's results")
	}
	assert.Empty(t, s.take())
	s.push(RequestOutput{NumCachedTokens: 5}, true)
	deltas = s.take()
	if assert.Len(t, deltas, 1, "an end without new tokens is a delta too") {
		assert.Equal(t, 5, deltas[0].Request.NumCachedTokens)
	}
}
