package stat

import (
	"testing"

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
