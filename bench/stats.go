package bench

import (
	"slices"
	"time"

	"github.com/aclements/go-moremath/stats"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// confidence is the least probability with which an interval covers the true median.
	confidence = 0.95
	// significance is the greatest probability with which a test may see by chance what it looks for: a
	// difference, a drift or two modes. It is 1 % and not the usual 5 %, since a run makes many tests.
	significance = 0.01
)

// Median is the median of a sample of times with an interval for the median of what was sampled.
//
// The interval goes from the k-th smallest to the k-th largest value, with the largest k for which it covers
// the true median with a probability of at least 95 %, whatever the times' distribution: the number of
// values below the median is binomial with probability ½, so that the probability is
//
//	1 − 2 · P(Binomial(n, ½) ≤ k−1)
//
// (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 3.2). Fewer than 6 values have no such
// interval: it then is their whole range, and Confidence, 1 − 2^(1−n), is below 95 %.
type Median struct {
	// N is the number of values.
	N int `json:"n"`
	// Value is the middle value, or the mean of the two middle ones.
	Value time.Duration `json:"value_ns"`
	// Low and High are the interval's ends.
	Low  time.Duration `json:"low_ns"`
	High time.Duration `json:"high_ns"`
	// Confidence is the probability with which the interval covers the true median: 0 for a single value.
	Confidence float64 `json:"confidence"`
}

// NewMedian computes the median of times and its interval. It panics on no times.
func NewMedian(times []time.Duration) Median {
	sorted := slices.Sorted(slices.Values(times))
	n := len(sorted)
	k, coverage := IntervalRank(n)
	return Median{N: n, Value: (sorted[(n-1)/2] + sorted[n/2]) / 2, Low: sorted[k-1], High: sorted[n-k], Confidence: coverage}
}

// IntervalRank says which of n values, in ascending order, are the ends of the interval for the median that [Median]
// describes, the k-th and the k-th from the end, and with what probability it covers the median.
func IntervalRank(n int) (k int, coverage float64) {
	below := distuv.Binomial{N: float64(n), P: 0.5}.CDF
	k = 1
	for k < (n+1)/2 && 1-2*below(float64(k)) >= confidence {
		k++
	}
	return k, max(0, 1-2*below(float64(k-1)))
}

// Precision is the greater distance from the median to an end of its interval, as a fraction of the median.
func (m Median) Precision() float64 {
	return max(m.High-m.Value, m.Value-m.Low).Seconds() / m.Value.Seconds()
}

// within reports whether the 95 % interval is known and within target of the median, a fraction.
func (m Median) within(target float64) bool {
	return m.Confidence >= confidence && m.Precision() <= target
}

// Comparison is the outcome of comparing two samples of times.
type Comparison struct {
	// Ratio is the second sample's median over the first's: 1.03 means that the second is 3 % slower.
	Ratio float64 `json:"ratio"`
	// Low and High bound the factor between the two with 99 % confidence, so that 1 is outside when they differ; both are 0
	// for too few values.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
	// P is the probability of samples that differ as much or more when nothing differs.
	P float64 `json:"p"`
	// Differ is true when P is at most 1 %.
	Differ bool `json:"differ"`
}

// Compare tells whether two samples of times differ by more than chance explains, by the two-sided
// Mann-Whitney U test (Annals of Mathematical Statistics 18, 1947), which is exact for samples of up to 50
// values and assumes nothing about how times are distributed. Fewer than 5 values on both sides can never
// show a difference. The interval is the test's own: from the k-th smallest to the k-th largest of all ratios of a value of
// the second sample to one of the first, with the largest k that the distribution of U allows (W. J. Conover, Practical
// Nonparametric Statistics, 3rd ed., 1999, section 5.4, on the times' logarithms). Measure both in turns: times that drift differ between any two hours. It panics when
// a sample is empty.
func Compare(first, second []time.Duration) Comparison {
	c := Comparison{Ratio: float64(NewMedian(second).Value) / float64(NewMedian(first).Value), P: 1}
	// The error says that all values are equal, and so nothing differs.
	if test, err := stats.MannWhitneyUTest(floats(first), floats(second), stats.LocationDiffers); err == nil {
		c.P = test.P
	}
	c.Differ = c.P <= significance
	c.Low, c.High = ratioInterval(first, second)
	return c
}

// ratioInterval is the interval of [Comparison]; zeros for too few values.
func ratioInterval(first, second []time.Duration) (low, high float64) {
	u := stats.UDist{N1: len(first), N2: len(second)}
	k := 0
	for 2*u.CDF(float64(k)) <= significance {
		k++
	}
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

// Trend is what the order of trials says about their times.
type Trend struct {
	// Change is the change from the first trial to the last as a fraction of the median, by the median of the
	// slopes between all pairs of trials (P. K. Sen, JASA 63, 1968).
	Change float64 `json:"change"`
	// P is the probability of a trend as marked or more when there is none, by the exact two-sided
	// Mann-Kendall test (H. B. Mann, Econometrica 13, 1945). Fewer than 6 trials can never show a drift.
	P float64 `json:"p"`
}

// newTrend tests times, in the order of the trials, for a drift. It panics on no times.
func newTrend(times []time.Duration) Trend {
	var slopes []float64
	score := 0 // pairs that rise less pairs that fall
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
	change := quantile(slopes, 0.5) * float64(len(times)-1) / NewMedian(times).Value.Seconds()
	return Trend{Change: change, P: kendallP(len(times), score)}
}

// drifts reports whether the times have a trend beyond chance.
func (t Trend) drifts() bool { return t.P <= significance }

// kendallP is the probability that n values in random order have a score, pairs that rise less pairs that
// fall, as far from 0 or farther. Ties count as neither.
func kendallP(n, score int) float64 {
	// share[i] is the share of all orders of m values that have i falling pairs. A further value falls below any
	// number from 0 to m of those before it, each equally likely.
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

// outliers are the indices of the values more than three interquartile ranges outside the quartiles, which
// J. W. Tukey (Exploratory Data Analysis, 1977) calls far out.
func outliers(times []time.Duration) []int {
	sorted := floats(times)
	slices.Sort(sorted)
	low, high := quantile(sorted, 0.25), quantile(sorted, 0.75)
	var indices []int
	for i, t := range times {
		if far := 3 * (high - low); float64(t) < low-far || float64(t) > high+far {
			indices = append(indices, i)
		}
	}
	return indices
}

// quantile is a quantile of sorted values, between two of them by linear interpolation: numpy.percentile's
// default, which is definition 7 of R. J. Hyndman and Y. Fan (The American Statistician 50, 1996).
func quantile(sorted []float64, q float64) float64 {
	position := q * float64(len(sorted)-1)
	i := min(int(position), len(sorted)-2)
	if i < 0 {
		return sorted[0]
	}
	return sorted[i] + (position-float64(i))*(sorted[i+1]-sorted[i])
}

func floats(times []time.Duration) []float64 {
	values := make([]float64, len(times))
	for i, t := range times {
		values[i] = float64(t)
	}
	return values
}
