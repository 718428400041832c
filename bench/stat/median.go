package stat

import (
	"encoding/json"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is the median of a sample with an interval for the median of what was sampled.
//
// The interval goes from the k-th smallest to the k-th largest value, with the largest k for which
// it covers the true median with a probability of at least 95 %. The number of values below the
// median is binomial with probability ½, whatever the distribution of the values. The probability
// is therefore
//
//	1 − 2 · P(Binomial(n, ½) ≤ k−1)
//
// (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 3.2). Fewer than 6
// values have no such interval: Low and High are then the least and the greatest value, and
// Confidence, 1 − 2^(1−n), is below 95 %.
//
// In JSON, the value and the ends are the members value, low and high. Times are in nanoseconds,
// and the members' names then end with _ns.
type Estimate[T Value] struct {
	// N is the number of values.
	N int
	// Value is the middle value, or the mean of the two middle ones.
	Value T
	// Low and High are the ends of the interval.
	Low, High T
	// Confidence is the probability that the interval covers the true median: 0 for a single value.
	Confidence float64
}

// Value is a value of a sample: a time, or a number such as a rate or a ratio.
type Value interface{ time.Duration | float64 }

// Median returns the median of values and its interval. It assumes that the values are independent;
// [MedianInOrder] does not. It returns the zero value for no values.
func Median[T Value](values []T) Estimate[T] {
	if len(values) == 0 {
		return Estimate[T]{}
	}
	return estimate(values, len(values))
}

// estimate returns the median of values that say as much about it as so many independent values.
// The interval leaves out the same share of the values at each end as that of independent values.
func estimate[T Value](values []T, independent int) Estimate[T] {
	n := len(values)
	sorted := slices.Sorted(slices.Values(values))
	k, coverage := intervalRank(independent)
	if coverage < Confidence {
		k = 1
	} else {
		k = int((float64(k)-0.5)*float64(n)/float64(independent) + 0.5)
	}
	return Estimate[T]{
		N: n, Value: (sorted[(n-1)/2] + sorted[n/2]) / 2, Low: sorted[k-1], High: sorted[n-k], Confidence: coverage,
	}
}

// Precision returns the greater distance from the median to an end of the interval, as a fraction
// of the median.
func (e Estimate[T]) Precision() float64 {
	return float64(max(e.High-e.Value, e.Value-e.Low)) / float64(e.Value)
}

// Within reports whether the interval has 95 % confidence and its ends are within target, a
// fraction, of the median.
func (e Estimate[T]) Within(target float64) bool {
	return e.Confidence >= Confidence && e.Precision() <= target
}

// intervalRank returns the rank k of the interval's lower end among n values in ascending order,
// and the probability that the interval covers the median. The upper end has the same rank from
// above.
func intervalRank(n int) (k int, coverage float64) {
	below := distuv.Binomial{N: float64(n), P: 0.5}.CDF
	k = 1
	for k < (n+1)/2 && 1-2*below(float64(k)) >= Confidence {
		k++
	}
	return k, max(0, 1-2*below(float64(k-1)))
}

// times and numbers are estimates as JSON has them.
type (
	times struct {
		N          int           `json:"n"`
		Value      time.Duration `json:"value_ns"`
		Low        time.Duration `json:"low_ns"`
		High       time.Duration `json:"high_ns"`
		Confidence float64       `json:"confidence"`
	}
	numbers struct {
		N          int     `json:"n"`
		Value      float64 `json:"value"`
		Low        float64 `json:"low"`
		High       float64 `json:"high"`
		Confidence float64 `json:"confidence"`
	}
)

// MarshalJSON encodes the estimate.
func (e Estimate[T]) MarshalJSON() ([]byte, error) {
	switch e := any(e).(type) {
	case Estimate[time.Duration]:
		return json.Marshal(times(e))
	case Estimate[float64]:
		return json.Marshal(numbers(e))
	}
	panic("stat: a Value that is neither")
}

// UnmarshalJSON decodes what MarshalJSON encodes.
func (e *Estimate[T]) UnmarshalJSON(text []byte) error {
	switch e := any(e).(type) {
	case *Estimate[time.Duration]:
		return json.Unmarshal(text, (*times)(e))
	case *Estimate[float64]:
		return json.Unmarshal(text, (*numbers)(e))
	}
	panic("stat: a Value that is neither")
}
