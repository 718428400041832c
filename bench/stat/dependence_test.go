package stat

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The values of scipy 1.17.1 and numpy:
//
//	r = rankdata(x) - (n+1)/2
//	c = (r[:-1]*r[1:]).sum()/(r*r).sum() + 1/n
//	rho = min(max(c+.5/sqrt(n), 0), .95)
//	print(c, max(1, int(n*(1-rho)/(1+rho))), c > 1.645/sqrt(n))
func TestDependence(t *testing.T) {
	var rising []float64
	for i := range 24 {
		rising = append(rising, float64(i+1))
	}
	for _, c := range []struct {
		values []float64
		want   Dependence
	}{
		{[]float64{10.1, 10.0, 10.3, 10.2, 10.6, 10.4, 10.5, 10.9}, Dependence{0.47619047619047616, 1, false}},
		{[]float64{3, 1, 2, 6, 5, 4}, Dependence{0.49523809523809526, 1, false}},
		{[]float64{1, 9, 2, 8, 3, 7, 4, 6, 5, 5}, Dependence{-0.7445121951219512, 10, false}},
		{[]float64{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}, Dependence{0.5, 2, true}},
		{rising, Dependence{0.9166666666666666, 1, true}},
		{[]float64{5}, Dependence{0, 1, false}},
		{slices.Repeat([]float64{5}, 100), Dependence{0, 90, false}},
	} {
		got := NewDependence(c.values)
		assert.InDelta(t, c.want.Correlation, got.Correlation, 1e-12, "%v", c.values)
		assert.Equal(t, c.want.Independent, got.Independent, "%v", c.values)
		assert.Equal(t, c.want.Seen, got.Seen, "%v", c.values)
	}
	// 15 independent values have the interval from the 4th to the 12th: it leaves out the share
	// 3.5/15 at each end.
	assert.Equal(t, Estimate[float64]{N: 60, Value: 30.5, Low: 14, High: 47, Confidence: 0.96484375},
		estimate(slices.Concat(rising, between(25, 60)), 15))
	assert.Equal(t, Estimate[time.Duration]{}, MedianInOrder[time.Duration](nil))
	assert.Equal(t, Estimate[time.Duration]{}, UntilPrecise(1, 0).Estimate(nil))
}

// between returns the integers from first to last.
func between(first, last int) []float64 {
	var values []float64
	for i := first; i <= last; i++ {
		values = append(values, float64(i))
	}
	return values
}

func TestDependenceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(1, 100), 1, 60).Draw(t, "values")
		times := ms(values...)
		d, plain, ordered, cautious := NewDependence(times), Median(times), MedianInOrder(times), UntilPrecise(1, 0).Estimate(times)
		require.GreaterOrEqual(t, d.Independent, 1)
		require.LessOrEqual(t, d.Independent, len(values))
		require.LessOrEqual(t, cautious.Low, plain.Low)
		require.GreaterOrEqual(t, cautious.High, plain.High)
		require.Equal(t, plain.Value, cautious.Value)
		require.Equal(t, d.Independent >= 6, cautious.Confidence >= Confidence)
		if d.Seen {
			require.Equal(t, cautious, ordered)
		} else {
			require.Equal(t, plain, ordered)
		}
		reversed := slices.Clone(times)
		slices.Reverse(reversed)
		require.InDelta(t, d.Correlation, NewDependence(reversed).Correlation, 1e-9)
	})
}

// Independent times show a dependence in about 5 % of samples at most, whatever their number.
func TestDependenceOfIndependentTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{6, 10, 20, 50} {
		const samples = 4000
		seen := 0
		for range samples {
			times := make([]time.Duration, n)
			for i := range times {
				times[i] = time.Duration(1e9 * (1 + r.ExpFloat64()))
			}
			if NewDependence(times).Seen {
				seen++
			}
		}
		assert.Less(t, float64(seen)/samples, 0.06, "n = %d", n)
		assert.Positive(t, seen, "n = %d", n)
	}
}
