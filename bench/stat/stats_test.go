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
//	k = max(k for k in range(1, n//2+1) if 1-2*binom.cdf(k-1, n, .5) >= .95); print(k, 1-2*binom.cdf(k-1, n, .5))
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

// The interval covers the true median at least as often as it says, for times as skewed as real ones.
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

// scipy.stats.mannwhitneyu(a, b, method="exact").pvalue of scipy 1.17.1.
func TestCompare(t *testing.T) {
	a := ms(105, 119, 100, 97, 96, 101, 94, 95, 98)
	b := ms(107, 104, 127, 116, 102, 110, 111, 108, 105.5)
	c := Compare(a, b)
	assert.InDelta(t, 0.005635540929658576, c.P, 1e-12)
	assert.InDelta(t, 108.0/98, c.Ratio, 1e-12)
	assert.True(t, c.Differ)
	// The 12th of the 81 ratios from either end: of all orders of 9 and 9 values, U ≤ 11 in 0.5 % or less, U ≤ 12 in more.
	assert.InDelta(t, 102.0/101, c.Low, 1e-12)
	assert.InDelta(t, 116.0/97, c.High, 1e-12)
	assert.True(t, Compare(ms(1, 2, 3, 4, 5), ms(6, 7, 8, 9, 10)).Differ)
	assert.False(t, Compare(ms(1, 2, 3, 4), ms(6, 7, 8, 9)).Differ, "too few for 1 %")
	assert.Equal(t, Comparison{Ratio: 1, P: 1}, Compare(ms(1, 1), ms(1, 1)))
}

// Samples of one engine differ in at most 5 % of 200 comparisons, and 20 trials of each nearly always find 3 % more time.
func TestCompareSimulatedTrials(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{6, 10, 20} {
		alike, slower := 0, 0
		for range 200 {
			base := fake.Times(r, n, time.Second)
			if Compare(base, fake.Times(r, n, time.Second)).Differ {
				alike++
			}
			if Compare(base, fake.Times(r, n, 1030*time.Millisecond)).Differ {
				slower++
			}
		}
		t.Logf("%d trials: a difference in %d of 200 comparisons of equals, in %d of 200 with 3 %% more time", n, alike, slower)
		assert.LessOrEqual(t, alike, 10, "n = %d", n)
		if n >= 20 {
			assert.GreaterOrEqual(t, slower, 190, "n = %d", n)
		}
	}
}

// scipy.stats.kendalltau(range(n), x, method="exact").pvalue and theilslopes(x).slope of scipy 1.17.1.
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

// diptest.diptest(x) of diptest 0.12.0, a port of R's package of that name; its p is interpolated from a table.
func TestModes(t *testing.T) {
	two := NewModes(ms(72, 74, 81, 80, 73, 120, 118, 125, 119, 77))
	assert.InDelta(t, 0.16818181818181818, two.Dip, 1e-12)
	assert.InDelta(t, 0.00464012562593108, two.P, 0.003)
	assert.True(t, two.Several())
	one := NewModes(ms(10, 11, 12, 13, 14, 15, 16, 17, 18, 30))
	assert.InDelta(t, 0.05, one.Dip, 1e-12)
	assert.Equal(t, 1.0, one.P)
	for _, c := range []struct {
		x   []float64
		dip float64
	}{
		{[]float64{-0.671, -0.629, -0.592, 0.209, 0.232, 0.425, 0.664, 0.7, 0.874, 0.928, 0.97, 1.11, 1.17, 1.83, 1.97}, 0.091022727273},
		{[]float64{-1.55, -1.17, -1.14, -0.932, -0.78, -0.459, 0.087, 0.161, 0.169, 0.493, 0.638, 0.88, 1.23, 1.32, 2.87}, 0.081622911695},
		{[]float64{-2.71, -1.62, 0.0417, 0.168, 0.548, 0.962, 1.11, 1.73, 1.93, 1.94, 2.33, 2.98, 3.37, 4.83, 5.02}, 0.061205551936},
		{[]float64{-1.26, -1.14, -0.665, -0.527, -0.323, -0.137, 0.519, 2.98, 3.59, 4.25, 4.6, 5.26, 5.36, 5.4, 5.42}, 0.136836422530},
		{[]float64{-1.61, -1.54, -1.13, -0.701, -0.603, -0.355, -0.34, -0.178, -0.0597, 0.0957, 0.203, 0.325, 0.619, 0.77, 1.81}, 0.058965896590},
	} {
		assert.InDelta(t, c.dip, hartigansDip(c.x), 1e-9)
	}
	assert.False(t, NewModes(ms(5)).Several())
	assert.False(t, NewModes(ms(5, 5, 5, 5, 5, 5, 5)).Several())
}

func TestOutliers(t *testing.T) {
	assert.Equal(t, []int{2, 5}, Outliers(ms(100, 101, 190, 99, 102, 20, 100, 101)))
	assert.Empty(t, Outliers(ms(100, 101, 104, 99, 102, 98, 100, 101)))
	assert.Empty(t, Outliers(ms(1)))
}

// numpy.percentile(x, [0, 25, 50, 90, 99, 100]) of numpy.
func TestQuantile(t *testing.T) {
	x := []float64{1.5, 2.25, 3, 4, 7.5, 9.25}
	for q, want := range map[float64]float64{0: 1.5, 0.25: 2.4375, 0.5: 3.5, 0.9: 8.375, 0.99: 9.1625, 1: 9.25} {
		assert.InDelta(t, want, Quantile(x, q), 1e-12)
	}
	assert.Equal(t, 7.0, Quantile([]float64{7}, 0.9))
}
