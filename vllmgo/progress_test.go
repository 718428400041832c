package vllmgo

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestProgressArithmetic(t *testing.T) {
	p := Progress{Requests: 4, FinishedRequests: 1, GeneratedTokens: 50, MaxTokens: 100, Elapsed: 2 * time.Second}
	assert.InDelta(t, 25, p.TokensPerSecond(), 1e-9)
	assert.InDelta(t, 0.5, p.Done(), 1e-9)
	assert.Equal(t, 2*time.Second, p.ETA())
	p.MaxTokens = 0
	assert.InDelta(t, 0.25, p.Done(), 1e-9, "the requests count when nobody knows of tokens")
	assert.Zero(t, Progress{Requests: 1}.ETA())
	assert.Zero(t, Progress{Requests: 1}.TokensPerSecond())
}

func TestMaxTokens(t *testing.T) {
	two := make([]Prompt, 2)
	assert.Equal(t, 32, maxTokens(two, SamplingParams{}), "16 each is vLLM's default")
	two[1].Params = &SamplingParams{MaxTokens: 20, N: 3}
	assert.Equal(t, 70, maxTokens(two, SamplingParams{MaxTokens: 10}))
	two[1].Params = &SamplingParams{MaxTokens: Unlimited}
	assert.Zero(t, maxTokens(two, SamplingParams{MaxTokens: 10}))
}

// maxTokens is the MaxTokens of the reports about prompts.
func maxTokens(prompts []Prompt, params SamplingParams) int {
	var last Progress
	r := newReporter(func(p Progress) { last = p })
	r.expect(prompts, params)
	r.expectNoMore()
	r.failed() // wakes the reporter
	r.close()
	return last.MaxTokens
}

func TestProgressBar(t *testing.T) {
	var b bytes.Buffer
	draw := ProgressBar(&b)
	draw(Progress{Requests: 2, GeneratedTokens: 10, MaxTokens: 100, Elapsed: time.Second})
	assert.Contains(t, b.String(), "10/100")
	draw(Progress{Requests: 2, FinishedRequests: 2, GeneratedTokens: 80, MaxTokens: 100, Elapsed: time.Second})
	assert.Contains(t, b.String(), "80/80", "completions that ended early end the bar")
	assert.Contains(t, b.String(), "tok/s")
	assert.Equal(t, byte('\n'), b.Bytes()[b.Len()-1])
}
