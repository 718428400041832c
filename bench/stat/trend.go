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
	// two-sided Mann-Kendall test (H. B. Mann, Econometrica 13, 1945). Fewer than 6 times never
	// show a drift.
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
	return Trend{Change: change, P: kendallP(len(times), score)}
}

// Drifts reports whether the times have a stronger trend than chance explains.
func (t Trend) Drifts() bool { return t.P <= significance }

// kendallP returns the probability that n values in random order have a score, pairs that rise
// minus pairs that fall, as far from 0 or farther. Ties count as neither.
func kendallP(n, score int) float64 {
	// share[i] is the share of all orders of m values that have i falling pairs. A further value
	// falls below any number from 0 to m of those before it, and each number is equally likely.
	share := []float64{1}
	for m := 1; m < n; m++ {
		next := make([]float64, len(share)+m)
		for i, s := range share {
			for below := range m + 1 {
				next[i+below] += s / float64(m+1)
			}
		}
		share = next
	}
	pairs, p := n*(n-1)/2, 0.0
	for falling, s := range share {
		if pairs-2*falling >= max(score, -score) {
			p += s
		}
	}
	return min(1, 2*p)
}
