package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestETA(t *testing.T) {
	var e eta
	e.loads, e.load = 1, 3*time.Second
	_, ok := e.left(1000, 20000)
	assert.False(t, ok, "nothing measured yet")

	// 10 ms a step and 1 ms a token: 1000·10 ms + 20000·1 ms + one load of 3 s.
	cost := func(steps, tokens float64) time.Duration {
		return time.Duration(10*steps+tokens) * time.Millisecond
	}
	e.observe(64, 192, cost(64, 192))
	e.observe(64, 6144, cost(64, 6144))
	left, ok := e.left(1000, 20000)
	require.True(t, ok)
	assert.InDelta(t, 33, left.Seconds(), 0.01)
}

func TestETAFallsBack(t *testing.T) {
	var alike eta // passes of one shape only: by tokens
	alike.observe(10, 100, time.Second)
	left, ok := alike.left(100, 1000)
	assert.True(t, ok)
	assert.InDelta(t, 10, left.Seconds(), 1e-6)
	_, ok = alike.left(100, 3000)
	assert.False(t, ok, "nobody knows yet what more tokens a step cost")

	var steps eta // more tokens, less time: by steps
	steps.observe(10, 100, time.Second)
	steps.observe(10, 1000, 900*time.Millisecond)
	left, _ = steps.left(100, 1e6)
	assert.InDelta(t, 9.5, left.Seconds(), 0.1)

	var tokens eta // more steps, less time: by tokens
	tokens.observe(10, 100, time.Second)
	tokens.observe(100, 100, 900*time.Millisecond)
	left, _ = tokens.left(1e6, 1000)
	assert.InDelta(t, 9.5, left.Seconds(), 0.1)
}
