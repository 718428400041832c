package stat

import (
	"slices"
	"time"

	"github.com/aclements/go-moremath/stats"
)

// exactPairs is the greatest number of pairs of values for which the rank-sum test is exact: 50
// trials against 50 take some 30 ms.
const exactPairs = 50 * 50

// rankSumP returns the two-sided p-value of the rank-sum test of two samples: twice the smaller of
// the probabilities of a rank sum at most and at least as large, and at most 1. All ways to divide
// the values among the samples are equally likely. Equal values share the mean of their ranks.
//
// The p-value is exact, whether values are equal or not, unless there are too many values. It then
// comes from the normal distribution.
func rankSumP(first, second []time.Duration) float64 {
	if len(first)*len(second) > exactPairs {
		test, err := stats.MannWhitneyUTest(floats(first), floats(second), stats.LocationDiffers)
		if err != nil { // all values are equal
			return 1
		}
		return min(1, test.P)
	}
	if len(first) > len(second) {
		first, second = second, first
	}
	pooled := slices.Sorted(slices.Values(slices.Concat(first, second)))
	ranks := doubleRanks(pooled)
	sum := 0
	for _, t := range first {
		i, _ := slices.BinarySearch(pooled, t)
		sum += ranks[i]
	}
	ways := rankSums(ranks, len(first))
	all, below, above := 0.0, 0.0, 0.0
	for s, n := range ways {
		all += n
		if s <= sum {
			below += n
		}
		if s >= sum {
			above += n
		}
	}
	return min(1, 2*min(below, above)/all)
}

// doubleRanks returns twice the rank of each of some values in ascending order.
func doubleRanks[T Value](values []T) []int {
	ranks := make([]int, len(values))
	for start := 0; start < len(values); {
		end := start
		for end < len(values) && values[end] == values[start] {
			end++
		}
		for i := start; i < end; i++ {
			ranks[i] = start + 1 + end // the mean of start+1 and end, twice
		}
		start = end
	}
	return ranks
}

// rankSums returns in how many ways n of the ranks have each sum.
func rankSums(ranks []int, n int) []float64 {
	most := 0
	for _, r := range ranks[len(ranks)-n:] {
		most += r
	}
	ways := make([][]float64, n+1) // of so many ranks, by their sum
	for k := range ways {
		ways[k] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for i, r := range ranks {
		for k := min(n, i+1); k >= 1; k-- {
			for s := r; s <= most; s++ {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	return ways[n]
}
