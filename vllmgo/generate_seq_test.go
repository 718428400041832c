package vllmgo_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// counted is a sequence of prompts that counts how many were taken of it.
func counted(prompts []vllmgo.Prompt, taken *int) iter.Seq[vllmgo.Prompt] {
	return func(yield func(vllmgo.Prompt) bool) {
		for _, prompt := range prompts {
			*taken++
			if !yield(prompt) {
				return
			}
		}
	}
}

// testSeq shows that each prompt of a sequence gets its own output once, that few are taken ahead,
// and that a bad one stops no other.
func (c *calls) testSeq(t *testing.T) {
	const window, bad = 128, 77 // max_num_seqs is 16
	prompts := numbered(400)
	prompts[bad] = vllmgo.Prompt{}
	taken, seen, most := 0, map[int]bool{}, 0
	var last vllmgo.Progress
	report := vllmgo.OnProgress(func(p vllmgo.Progress) {
		assert.GreaterOrEqual(t, p.GeneratedTokens, last.GeneratedTokens)
		assert.GreaterOrEqual(t, p.FinishedRequests, last.FinishedRequests)
		assert.Contains(t, []int{0, len(prompts)}, p.Requests, "unknown until the sequence has ended")
		last = p
	})
	for output, err := range c.llm.GenerateSeq(t.Context(), counted(prompts, &taken), exactly(3), report) {
		most = max(most, taken-len(seen))
		assert.False(t, seen[output.Index], "prompt %d has two outputs", output.Index)
		seen[output.Index] = true
		if output.Index == bad {
			assert.ErrorContains(t, err, "empty")
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, prompts[output.Index].TokenIDs, output.PromptTokenIDs)
		assert.Len(t, output.Outputs[0].TokenIDs, 3)
	}
	assert.Len(t, seen, len(prompts))
	last.Elapsed = 0
	assert.Equal(t, vllmgo.Progress{
		Requests: len(prompts), FinishedRequests: len(prompts), GeneratedTokens: 3 * (len(prompts) - 1), MaxTokens: 3 * len(prompts),
	}, last)
	assert.LessOrEqual(t, most, window, "prompts that are under way")
	assert.Greater(t, most, 16, "enough for full steps")
	c.short(t)
	for range c.llm.GenerateSeq(t.Context(), counted(nil, &taken), vllmgo.SamplingParams{}) {
		t.Error("no prompts have an output")
	}
}

// testSeqEnds shows that leaving the loop, and the end of its context, remove the requests from the
// engine.
func (c *calls) testSeqEnds(t *testing.T) {
	prompts := numbered(300)
	taken := 0
	// The first prompts end, the rest would run for long.
	mixed := slices.Clone(prompts)
	mixed[0].Params, mixed[1].Params = new(exactly(2)), new(exactly(2))
	for output, err := range c.llm.GenerateSeq(t.Context(), counted(mixed, &taken), forever) {
		require.NoError(t, err)
		assert.Less(t, output.Index, 2)
		break
	}
	c.short(t)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	errs := 0
	for _, err := range c.llm.GenerateSeq(ctx, counted(prompts, &taken), forever) {
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		errs++
	}
	assert.Equal(t, 1, errs, "the end of the context is the last error")
	c.short(t)
}

// sequence begins one that ends when the engine is closed, and returns a function that waits for
// that.
func (c *calls) sequence(t *testing.T) (wait func()) {
	t.Helper()
	begun, ended := make(chan struct{}), make(chan []error, 1)
	prompts := func(yield func(vllmgo.Prompt) bool) {
		taken := 0
		for prompt := range counted(numbered(300), &taken) {
			if taken == 100 {
				close(begun)
			}
			if !yield(prompt) {
				return
			}
		}
	}
	go func() {
		var errs []error
		for _, err := range c.llm.GenerateSeq(context.Background(), prompts, forever) {
			errs = append(errs, err)
		}
		ended <- errs
	}()
	<-begun
	return func() {
		t.Helper()
		if errs := <-ended; assert.Len(t, errs, 1) {
			assert.ErrorIs(t, errs[0], vllmgo.ErrClosed)
		}
	}
}
