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

// The values of scipy 1.17.1 and numpy, of series x[0], x[1] and so on:
//
//	r = rankdata(np.concatenate([v/np.median(v) for v in x]))
//	r = np.split(r, np.cumsum([len(v) for v in x])[:-1])
//	d = [v - v.mean() for v in r]
//	n, pairs = len(x[0]), sum(len(v)-1 for v in x)
//	c = sum(v[:-1]@v[1:] for v in d)/sum(v@v for v in d) + sum(1-1/len(v) for v in x)/pairs
//	rho = min(max(c+.5/sqrt(pairs+1), 0), .95)
//	print(c, pairs, max(1, int(n*(1-rho)/(1+rho))), c > 1.645/sqrt(pairs+1))
func TestDependence(t *testing.T) {
	var rising []float64
	for i := range 24 {
		rising = append(rising, float64(i+1))
	}
	for _, c := range []struct {
		values []float64
		want   Dependence
	}{
		{[]float64{10.1, 10.0, 10.3, 10.2, 10.6, 10.4, 10.5, 10.9}, Dependence{0.47619047619047616, 7, 1, false}},
		{[]float64{3, 1, 2, 6, 5, 4}, Dependence{0.49523809523809526, 5, 1, false}},
		{[]float64{1, 9, 2, 8, 3, 7, 4, 6, 5, 5}, Dependence{-0.7445121951219512, 9, 10, false}},
		{[]float64{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}, Dependence{0.5, 11, 2, true}},
		{rising, Dependence{0.9166666666666666, 23, 1, true}},
		{[]float64{5}, Dependence{0, 0, 1, false}},
		{slices.Repeat([]float64{5}, 100), Dependence{0, 99, 90, false}},
	} {
		got := NewDependence(c.values)
		assert.InDelta(t, c.want.Correlation, got.Correlation, 1e-12, "%v", c.values)
		got.Correlation = c.want.Correlation
		assert.Equal(t, c.want, got, "%v", c.values)
	}
	// With other series: one that drifts, and some with few values or equal ones.
	values := []float64{100, 101, 99, 100, 102, 98, 101, 99}
	drift := []float64{10, 10.1, 10.3, 10.6, 10.9, 10.8, 10.4, 10.2, 10.1, 10.5}
	others := [][]float64{{5}, drift, {7, 9}, nil, slices.Repeat([]float64{1000}, 4)}
	got := NewDependence(values, others...)
	assert.InDelta(t, 0.16305637544273907, got.Correlation, 1e-12)
	assert.InDelta(t, 20, got.Pairs, 1e-9)
	assert.Equal(t, 4, got.Independent)
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

// Points that a machine treats alike tell no more than one of them, and others as much as all.
func TestDependencePairs(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	series := func() []time.Duration {
		times := make([]time.Duration, 30)
		for i := range times {
			times[i] = time.Duration(1e9 * (1 + r.ExpFloat64()))
		}
		return times
	}
	one := series()
	assert.InDelta(t, 29, NewDependence(one).Pairs, 1e-9)
	same := NewDependence(one, one, one, one)
	assert.InDelta(t, NewDependence(one).Correlation, same.Correlation, 1e-9)
	assert.InDelta(t, 29, same.Pairs, 1e-9)
	assert.False(t, same.Telling())
	apart := NewDependence(series(), series(), series(), series())
	assert.Greater(t, apart.Pairs, 4*29/1.8)
	assert.LessOrEqual(t, apart.Pairs, 4*29.0)
	assert.True(t, apart.Telling())
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
