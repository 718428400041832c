package stat

import (
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// enumerated returns the p-value of the rank-sum test by going through all ways to divide the
// values.
func enumerated(first, second []time.Duration) float64 {
	pooled := append(append([]time.Duration{}, first...), second...)
	// wins returns twice U: 2 for each pair in which the chosen value is greater, 1 for equal ones.
	wins := func(chosen uint) (u int) {
		for i, a := range pooled {
			for j, b := range pooled {
				if chosen>>i&1 == 1 && chosen>>j&1 == 0 {
					if a > b {
						u += 2
					} else if a == b {
						u++
					}
				}
			}
		}
		return u
	}
	is := wins(1<<len(first) - 1)
	all, below, above := 0, 0, 0
	for chosen := range uint(1) << len(pooled) {
		if bits.OnesCount(chosen) != len(first) {
			continue
		}
		all++
		if u := wins(chosen); u <= is {
			below++
			if u == is {
				above++
			}
		} else {
			above++
		}
	}
	return min(1, 2*float64(min(below, above))/float64(all))
}

// The p-value is that of enumeration, for thousands of small samples most of whose values are
// equal.
func TestRankSumAgainstEnumeration(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	n := 3000
	if testing.Short() {
		n = 300
	}
	for range n {
		first, second := make([]time.Duration, 1+r.IntN(5)), make([]time.Duration, 1+r.IntN(6))
		levels := 1 + r.IntN(6)
		for _, sample := range [][]time.Duration{first, second} {
			for i := range sample {
				sample[i] = time.Duration(1+r.IntN(levels)) * time.Millisecond
			}
		}
		want := enumerated(first, second)
		assert.InDelta(t, want, rankSumP(first, second), 1e-12, "%v and %v", first, second)
		assert.InDelta(t, want, rankSumP(second, first), 1e-12, "either order")
	}
}

// Of the 12 places that the one different value can have, the last is as extreme as this.
func TestOneAgainstEqualValues(t *testing.T) {
	tied := make([]time.Duration, 11)
	for i := range tied {
		tied[i] = 17 * time.Millisecond
	}
	c := Compare(ms(19), tied)
	assert.InDelta(t, 2.0/12, c.P, 1e-12)
	assert.False(t, c.Differ)
}

// The exact p-value and that of the normal distribution meet where the one ends and the other
// begins.
func TestRankSumOfManyValues(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 5 {
		sample := func(n int, shift float64) (times []time.Duration) {
			for range n {
				times = append(times, time.Duration(100+10*(r.NormFloat64()+shift))*time.Millisecond)
			}
			return times
		}
		a, b := sample(50, 0), sample(50, 0.4)
		exact := rankSumP(a, b)
		// Each value twice is another sample with other chances; 51 values are nearly the same.
		assert.InDelta(t, exact, rankSumP(append(a, a[0]), b), 0.02+exact/2)
		assert.LessOrEqual(t, rankSumP(sample(60, 0), sample(60, 0)), 1.0)
	}
}

func BenchmarkRankSum(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 10))
	first, second := make([]time.Duration, 50), make([]time.Duration, 50)
	for i := range first {
		first[i], second[i] = time.Duration(r.IntN(1000)), time.Duration(r.IntN(1000))
	}
	for b.Loop() {
		rankSumP(first, second)
	}
}
