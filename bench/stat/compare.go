package stat

import (
	"slices"
	"sort"
	"time"

	"github.com/aclements/go-moremath/stats"
)

// Comparison is the outcome of comparing two samples of times.
type Comparison struct {
	// Ratio is the second sample's median over the first's. 1.03 means that the second is 3 %
	// slower.
	Ratio float64 `json:"ratio"`
	// Low and High are the ends of an interval that covers the ratio of the times with 99 %
	// confidence. Both are 0 for too few values.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
	// P is the p-value: the probability of a difference at least this large when both samples have
	// the same distribution.
	P float64 `json:"p"`
	// Differ is true when P is at most 1 %.
	Differ bool `json:"differ"`
}

// Compare reports whether two samples of times differ by more than chance explains. It panics when
// a sample is empty.
//
// The test is the two-sided Mann-Whitney U test (Annals of Mathematical Statistics 18, 1947). It is
// exact for up to 50 values against 50, with equal values too, and assumes nothing about the
// distribution of the times.
// Two samples of fewer than 5 values never differ.
//
// The interval is that of the test: it goes from the k-th smallest to the k-th largest ratio of a
// value of the second sample to a value of the first, with the largest k that the distribution of U
// allows (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 5.4, on the
// logarithms of the times).
//
// Measure both samples in turns. Times drift, and so differ between any two hours.
func Compare(first, second []time.Duration) Comparison {
	c := Comparison{
		Ratio: float64(Median(second).Value) / float64(Median(first).Value),
		P:     rankSumP(first, second),
	}
	c.Differ = c.P <= significance
	c.Low, c.High = ratioInterval(first, second)
	return c
}

// ratioInterval returns the interval of a [Comparison]; zeros for too few values.
func ratioInterval(first, second []time.Duration) (low, high float64) {
	u := stats.UDist{N1: len(first), N2: len(second)}
	k := sort.Search(len(first)*len(second), func(k int) bool { return 2*u.CDF(float64(k)) > significance })
	if k == 0 {
		return 0, 0
	}
	var ratios []float64
	for _, b := range second {
		for _, a := range first {
			ratios = append(ratios, float64(b)/float64(a))
		}
	}
	slices.Sort(ratios)
	return ratios[k-1], ratios[len(ratios)-k]
}
