package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/stat"
	"vllmgo/internal/fake"
)

// ratios is a comparison of points with ratios and intervals, of ten trials each.
func ratios(all ...[3]float64) *Comparison {
	c := &Comparison{}
	for _, r := range all {
		c.Points = append(c.Points, PointComparison{
			First: stat.Estimate[time.Duration]{N: 10}, Second: stat.Estimate[time.Duration]{N: 10},
			Comparison: stat.Comparison{Ratio: r[0], Low: r[1], High: r[2]},
		})
	}
	c.Mean = newGeometricMean(c.Points)
	return c
}

// The mean of a single point is that point, and that of several has the errors of all.
func TestGeometricMean(t *testing.T) {
	one := ratios([3]float64{1.02, 0.99, 1.06}).Mean
	assert.InDelta(t, 1.02, one.Ratio, 1e-12)
	assert.InDelta(t, 0.99, one.Low, 1e-12)
	assert.InDelta(t, 1.06, one.High, 1e-12)
	four := ratios([3]float64{2, 1, 4}, [3]float64{0.5, 0.25, 1}, [3]float64{1, 0.5, 2}, [3]float64{1, 0.5, 2}).Mean
	assert.InDelta(t, 1, four.Ratio, 1e-12)
	assert.InDelta(t, math.Sqrt2, four.High, 1e-12, "four errors of a factor of 2 are √4/4 of one")
	assert.InDelta(t, 1/math.Sqrt2, four.Low, 1e-12)
	assert.Equal(t, GeometricMean{}, ratios().Mean)
	outside := ratios([3]float64{0.98, 0.99, 1.06}).Mean
	assert.InDelta(t, 0.98, outside.Low, 1e-12, "the ratio of the medians is below the interval of the test")
	unknown := ratios([3]float64{2, 1, 4}, [3]float64{2, 0, 0}).Mean
	assert.InDelta(t, 2, unknown.Ratio, 1e-12)
	assert.Zero(t, unknown.High)
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      Judgement
	}{
		{0.99, 1.02, NotSlower}, {1.001, 1.02, NotSlower}, {0.9, 0.95, NotSlower},
		{1.001, 1.031, Slower}, {1.04, 1.1, Slower}, {0.99, 1.04, Undecided}, {0, 0, Undecided},
	} {
		assert.Equal(t, c.want, ratios([3]float64{math.Sqrt(c.low * c.high), c.low, c.high}).Judge(0.03), "%v to %v", c.low, c.high)
	}
	assert.Equal(t, NothingInCommon, ratios().Judge(0.03))
}

func TestTrialsFor(t *testing.T) {
	assert.Zero(t, ratios([3]float64{1, 0.98, 1.02}).TrialsFor(0.03))
	assert.Equal(t, 43, ratios([3]float64{1, 0.97, 1.06}).TrialsFor(0.0285), "a reach of twice as much")
	assert.Equal(t, 11, ratios([3]float64{1, 0, 0}).TrialsFor(0.03), "more than there are")
	assert.Zero(t, ratios().TrialsFor(0.03))
}

// compareTimes compares two runs of six points of a machine with noise. The second is slower by a
// factor.
func compareTimes(r *rand.Rand, trials int, factor float64) *Comparison {
	c := &Comparison{}
	for range 6 {
		first := fake.Times(r, trials, time.Second)
		second := fake.Times(r, trials, time.Duration(factor*float64(time.Second)))
		c.Points = append(c.Points, PointComparison{
			First: stat.Median(first), Second: stat.Median(second), Comparison: stat.Compare(first, second),
		})
	}
	c.Mean = newGeometricMean(c.Points)
	return c
}

// A change that makes generation 3 % slower fails the check of 3 %, and one that does not passes
// it, each in at least 99 of 100 comparisons.
func TestJudgeSimulatedTrials(t *testing.T) {
	judged := func(factor float64, trials int) map[Judgement]int {
		times := map[Judgement]int{}
		r := rand.New(rand.NewPCG(5, 6))
		for range 100 {
			times[compareTimes(r, trials, factor).Judge(0.03)]++
		}
		return times
	}
	equal, slower := judged(1, 15), judged(1.03, 15)
	t.Logf("equal: %v; 3 %% slower: %v", equal, slower)
	assert.GreaterOrEqual(t, equal[NotSlower], 99)
	assert.GreaterOrEqual(t, slower[Slower], 99)
	few := judged(1, 6)
	assert.Zero(t, few[Slower], "too few trials are not decided rather than wrong: %v", few)
}

// The trials that are advised decide, where those at hand do not.
func TestTrialsToJudge(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var advised []int
	for range 10 {
		if c := compareTimes(r, 6, 1); c.Judge(0.03) == Undecided {
			advised = append(advised, c.TrialsToJudge(0.03))
		}
	}
	slices.Sort(advised)
	n := advised[len(advised)/2]
	assert.Greater(t, n, 6)
	assert.Less(t, n, 60)
	for range 5 {
		assert.NotEqual(t, Undecided, compareTimes(r, n, 1).Judge(0.03), n)
	}
}
