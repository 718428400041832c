package stat

import (
	"slices"
	"time"
)

// Trend describes whether the times of a sample rise or fall in the order of the trials.
type Trend struct {
	// Change is the change from the first trial to the last as a fraction of the median, by the
	// median of the slopes between all pairs of trials (P. K. Sen, JASA 63, 1968).
	Change float64 `json:"change"`
	// P is the probability of such a trend or a stronger one when there is none, by the exact
	// two-sided Mann-Kendall test (H. B. Mann, Econometrica 13, 1945), with equal times too. Fewer
	// than 6 times never show a drift.
	P float64 `json:"p"`
}

// NewTrend tests times, in the order of the trials, for a drift. It panics when there are no times.
func NewTrend(times []time.Duration) Trend {
	var slopes []float64
	score := 0 // pairs that rise minus pairs that fall
	for j, later := range times {
		for i, earlier := range times[:j] {
			slopes = append(slopes, (later-earlier).Seconds()/float64(j-i))
			switch {
			case later > earlier:
				score++
			case later < earlier:
				score--
			}
		}
	}
	if len(slopes) == 0 {
		return Trend{P: 1}
	}
	slices.Sort(slopes)
	change := Quantile(slopes, 0.5) * float64(len(times)-1) / Median(times).Value.Seconds()
	return Trend{Change: change, P: kendallP(times, score)}
}

// Drifts reports whether the times have a stronger trend than chance explains.
func (t Trend) Drifts() bool { return t.P <= significance }

// kendallP returns the probability that the times in random order have a score, pairs that rise
// minus pairs that fall, as far from 0 or farther. Pairs of equal times count as neither.
func kendallP(times []time.Duration, score int) float64 {
	// share[i] is the share of all orders of m of the times, the smallest, that have i falling
	// pairs. Further times that equal each other and exceed those m have a rank sum among all of
	// them, and each pair in which one of them comes first falls.
	share, m := []float64{1}, 0
	for _, equal := range equalTimes(times) {
		falls := fallingPairs(m, equal)
		next := make([]float64, len(share)+len(falls)-1)
		all := 0.0
		for _, n := range falls {
			all += n
		}
		for i, s := range share {
			for more, n := range falls {
				next[i+more] += s * n / all
			}
		}
		share = next
		m += equal
	}
	pairs, p := len(share)-1, 0.0 // pairs of times that are not equal
	for falling, s := range share {
		if pairs-2*falling >= max(score, -score) {
			p += s
		}
	}
	return min(1, 2*p)
}

// equalTimes returns how many of the times are equal to the smallest, to the next, and so on.
func equalTimes(times []time.Duration) []int {
	var counts []int
	sorted := slices.Sorted(slices.Values(times))
	for i, t := range sorted {
		if i == 0 || t != sorted[i-1] {
			counts = append(counts, 0)
		}
		counts[len(counts)-1]++
	}
	return counts
}

// fallingPairs returns in how many orders of m equal times and n equal larger ones 0, 1, 2, … pairs
// fall.
func fallingPairs(m, n int) []float64 {
	ranks := make([]int, m+n)
	for i := range ranks {
		ranks[i] = i + 1
	}
	few := min(m, n)
	return rankSums(ranks, few)[few*(few+1)/2:]
}
