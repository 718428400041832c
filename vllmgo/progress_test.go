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
	assert.Zero(t, maxTokens(2, nil))
	assert.Equal(t, 32, maxTokens(2, []SamplingParams{{}}), "16 each is vLLM's default")
	assert.Equal(t, 70, maxTokens(2, []SamplingParams{{MaxTokens: 10}, {MaxTokens: 20, N: 3}}))
	assert.Zero(t, maxTokens(2, []SamplingParams{{MaxTokens: 10}, {MaxTokens: Unlimited}}))
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
