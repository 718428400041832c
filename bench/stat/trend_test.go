package stat

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// scipy.stats.kendalltau(range(n), x, method="exact").pvalue and theilslopes(x).slope of scipy
// 1.17.1.
func TestTrend(t *testing.T) {
	trend := NewTrend(ms(10.1, 10.0, 10.3, 10.2, 10.6, 10.4, 10.5, 10.9))
	assert.InDelta(t, 0.014136904761904762, trend.P, 1e-12)
	assert.InDelta(t, 7*0.1/10.35, trend.Change, 1e-9)
	assert.False(t, trend.Drifts())
	assert.InDelta(t, 0.46944444444444444, NewTrend(ms(3, 1, 2, 6, 5, 4)).P, 1e-12)
	// scipy.stats.kendalltau(range(6), [3, 1, 2, 6, 5, 4], method="exact").pvalue
	assert.True(t, NewTrend(ms(1, 2, 3, 4, 5, 6)).Drifts())
	assert.False(t, NewTrend(ms(1, 2, 3, 4, 5)).Drifts(), "too few for 1 %")
	assert.Equal(t, Trend{P: 1}, NewTrend(ms(5)))
	assert.Equal(t, Trend{P: 1}, NewTrend(ms(5, 5, 5)))
}

// TestTrendOfEqualTimes counts all orders of small samples with equal times.
func TestTrendOfEqualTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	score := func(times []time.Duration) (score int) {
		for j, later := range times {
			for _, earlier := range times[:j] {
				switch {
				case later > earlier:
					score++
				case later < earlier:
					score--
				}
			}
		}
		return score
	}
	for range 100 {
		times := make([]time.Duration, 2+r.IntN(6))
		for i := range times {
			times[i] = time.Duration(1 + r.IntN(4))
		}
		size := score(times)
		size = max(size, -size)
		extreme, all := 0, 0
		eachOrder(slices.Clone(times), func(order []time.Duration) {
			all++
			if s := score(order); max(s, -s) >= size {
				extreme++
			}
		})
		assert.InDelta(t, float64(extreme)/float64(all), NewTrend(times).P, 1e-12, "%v", times)
	}
}

// eachOrder calls use with each order of the values, by Heap's algorithm.
func eachOrder(values []time.Duration, use func([]time.Duration)) {
	var permute func(n int)
	permute = func(n int) {
		if n <= 1 {
			use(values)
			return
		}
		for i := range n {
			permute(n - 1)
			if n%2 == 0 {
				values[i], values[n-1] = values[n-1], values[i]
			} else {
				values[0], values[n-1] = values[n-1], values[0]
			}
		}
	}
	permute(len(values))
}
