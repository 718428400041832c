package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"vllmgo/internal/fake"
)

func ms(values ...float64) []time.Duration {
	times := make([]time.Duration, len(values))
	for i, v := range values {
		times[i] = time.Duration(v * float64(time.Millisecond))
	}
	return times
}

// The orders and confidences of scipy 1.17.1:
//
//	k = max(k for k in range(1, n//2+1) if 1-2*binom.cdf(k-1, n, .5) >= .95)
//	print(k, 1-2*binom.cdf(k-1, n, .5))
//	quantile_test(range(1, n+1), p=.5).confidence_interval(.95)
func TestMedianInterval(t *testing.T) {
	for _, c := range []struct {
		n, k       int
		confidence float64
	}{
		{6, 1, 0.96875}, {8, 1, 0.9921875}, {9, 2, 0.9609375}, {10, 2, 0.978515625}, {20, 6, 0.9586105346679688},
		{30, 10, 0.9572260547429323}, {100, 40, 0.9647997997822951},
		{1, 1, 0}, {2, 1, 0.5}, {5, 1, 0.9375}, // the whole range: too few for 95 %
	} {
		var values []float64
		for i := range c.n {
			values = append(values, float64(c.n-i))
		}
		m := Median(ms(values...))
		assert.Equal(t, time.Duration(c.k)*time.Millisecond, m.Low, "n = %d", c.n)
		assert.Equal(t, time.Duration(c.n+1-c.k)*time.Millisecond, m.High, "n = %d", c.n)
		assert.InDelta(t, c.confidence, m.Confidence, 1e-12, "n = %d", c.n)
		assert.Equal(t, c.n, m.N)
		assert.Equal(t, time.Duration(c.n+1)*time.Millisecond/2, m.Value)
	}
	m := Median(ms(100, 101, 99, 103, 100, 98))
	assert.InDelta(t, 0.03, m.Precision(), 1e-9)
	assert.True(t, m.Within(0.03001))
	assert.False(t, m.Within(0.02999))
	assert.False(t, Median(ms(1, 1, 1)).Within(0.1), "three values have no 95 % interval")
}

func TestMedianProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(1, 1e12), 1, 60).Draw(t, "values")
		times := make([]time.Duration, len(values))
		for i, v := range values {
			times[i] = time.Duration(v)
		}
		before := slices.Clone(times)
		m := Median(times)
		require.Equal(t, before, times, "left as they are")
		require.LessOrEqual(t, m.Low, m.Value)
		require.LessOrEqual(t, m.Value, m.High)
		require.Contains(t, times, m.Low)
		require.Contains(t, times, m.High)
		require.Equal(t, len(times) >= 6, m.Confidence >= 0.95)
		slices.Reverse(times)
		require.Equal(t, m, Median(times), "the order does not matter")

		trend, reversed := NewTrend(before), NewTrend(times)
		require.InDelta(t, trend.Change, -reversed.Change, 1e-9*(1+math.Abs(trend.Change)))
		require.InDelta(t, trend.P, reversed.P, 1e-9)
		require.Greater(t, trend.P, 0.0)
		c := Compare(before, times)
		require.Equal(t, 1.0, c.Ratio)
		require.False(t, c.Differ)
	})
}

// The interval covers the true median at least as often as it says, for times as skewed as real
// ones.
func TestMedianCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{6, 9, 20} {
		const samples = 4000
		covered, claimed := 0, 0.0
		for range samples {
			m := Median(fake.Times(r, n, 100*time.Millisecond))
			claimed = m.Confidence
			if m.Low <= 100*time.Millisecond && 100*time.Millisecond <= m.High {
				covered++
			}
		}
		assert.InDelta(t, claimed, float64(covered)/samples, 0.01, "n = %d", n)
	}
}
