package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMedianDuration(t *testing.T) {
	values := []time.Duration{9, 1, 4}
	assert.Equal(t, time.Duration(4), medianDuration(values))
	assert.Equal(t, []time.Duration{9, 1, 4}, values, "left as they are")
	assert.Equal(t, time.Duration(6), medianDuration([]time.Duration{9, 8, 4, 1}))
}

func TestETA(t *testing.T) {
	var e eta
	e.steps, e.tokens, e.loads, e.load = 1000, 20000, 1, 3*time.Second
	_, ok := e.left()
	assert.False(t, ok, "nothing measured yet")

	// 10 ms a step and 1 ms a token: 1000·10 ms + 20000·1 ms + one load of 3 s.
	cost := func(steps, tokens float64) time.Duration {
		return time.Duration(10*steps+tokens) * time.Millisecond
	}
	e.observe(64, 192, cost(64, 192))
	e.observe(64, 6144, cost(64, 6144))
	left, ok := e.left()
	require.True(t, ok)
	assert.InDelta(t, 33, left.Seconds(), 0.01)
}

func TestETAFallsBack(t *testing.T) {
	var alike eta // passes of one shape only: by tokens
	alike.steps, alike.tokens = 100, 1000
	alike.observe(10, 100, time.Second)
	left, ok := alike.left()
	assert.True(t, ok)
	assert.InDelta(t, 10, left.Seconds(), 1e-6)
	alike.tokens = 3000
	_, ok = alike.left()
	assert.False(t, ok, "nobody knows yet what more tokens a step cost")

	var steps eta // more tokens, less time: by steps
	steps.steps, steps.tokens = 100, 1e6
	steps.observe(10, 100, time.Second)
	steps.observe(10, 1000, 900*time.Millisecond)
	left, _ = steps.left()
	assert.InDelta(t, 9.5, left.Seconds(), 0.1)

	var tokens eta // more steps, less time: by tokens
	tokens.steps, tokens.tokens = 1e6, 1000
	tokens.observe(10, 100, time.Second)
	tokens.observe(100, 100, 900*time.Millisecond)
	left, _ = tokens.left()
	assert.InDelta(t, 9.5, left.Seconds(), 0.1)
}
