package stat

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/internal/fake"
)

// scipy.stats.mannwhitneyu(a, b, method="exact").pvalue of scipy 1.17.1.
func TestCompare(t *testing.T) {
	a := ms(105, 119, 100, 97, 96, 101, 94, 95, 98)
	b := ms(107, 104, 127, 116, 102, 110, 111, 108, 105.5)
	c := Compare(a, b)
	assert.InDelta(t, 0.005635540929658576, c.P, 1e-12)
	assert.InDelta(t, 108.0/98, c.Ratio, 1e-12)
	assert.True(t, c.Differ)
	// The 12th of the 81 ratios from either end: of all orders of 9 and 9 values, U ≤ 11 in 0.5 %
	// or less, U ≤ 12 in more.
	assert.InDelta(t, 102.0/101, c.Low, 1e-12)
	assert.InDelta(t, 116.0/97, c.High, 1e-12)
	assert.True(t, Compare(ms(1, 2, 3, 4, 5), ms(6, 7, 8, 9, 10)).Differ)
	assert.False(t, Compare(ms(1, 2, 3, 4), ms(6, 7, 8, 9)).Differ, "too few for 1 %")
	assert.Equal(t, Comparison{Ratio: 1, P: 1}, Compare(ms(1, 1), ms(1, 1)))
}

// Samples of one engine differ in at most 5 % of 200 comparisons, and 20 trials of each nearly
// always find 3 % more time.
func TestCompareSimulatedTrials(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
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
