package stat

import (
	"math"
	"slices"
)

// Dependence describes how much each value of a series depends on the one before. A machine whose
// speed drifts, or that switches between two speeds, gives times that do. Such times say less about
// the median than independent ones.
type Dependence struct {
	// Correlation is the correlation between the ranks of neighbouring values, between −1 and 1,
	// with 1/n added: in n independent values it is −1/n on average. Equal values share the mean of
	// their ranks. It is 0 when all values are equal.
	Correlation float64 `json:"correlation"`
	// Independent is the number of independent values that say as much about the median:
	//
	//	n · (1 − ρ) ÷ (1 + ρ)
	//
	// rounded down, and at least 1 (G. V. Bayley and J. M. Hammersley, Journal of the Royal
	// Statistical Society, Supplement 8, 1946, for a correlation of ρ^k between values k apart). ρ
	// is Correlation + ½/√n, half a standard error more than what was seen, and between 0 and 0.95.
	Independent int `json:"independent"`
	// Seen is true when independent values have such a correlation or a greater one with a
	// probability of about 5 % at most: when Correlation is above 1.645/√n (R. Bartels, JASA 77,
	// 1982).
	Seen bool `json:"seen"`
}

// NewDependence returns the dependence among values in the order in which they were measured. It
// panics when there are no values.
func NewDependence[T Value](values []T) Dependence {
	n := float64(len(values))
	d := Dependence{Correlation: neighbourCorrelation(values)}
	d.Seen = d.Correlation > 1.645/math.Sqrt(n)
	correlation := min(max(d.Correlation+0.5/math.Sqrt(n), 0), 0.95)
	d.Independent = max(1, int(n*(1-correlation)/(1+correlation)))
	return d
}

// neighbourCorrelation returns Dependence.Correlation.
func neighbourCorrelation[T Value](values []T) float64 {
	sorted := slices.Sorted(slices.Values(values))
	ranks := doubleRanks(sorted)
	mean := float64(len(values) + 1) // of ranks that are doubled
	products, squares, before := 0.0, 0.0, 0.0
	for _, v := range values {
		at, _ := slices.BinarySearch(sorted, v)
		distance := float64(ranks[at]) - mean
		products += distance * before
		squares += distance * distance
		before = distance
	}
	if squares == 0 {
		return 0
	}
	return products/squares + 1/float64(len(values))
}

// MedianInOrder returns the median of values in the order in which they were measured, and its
// interval. When the values depend on the ones before, as [Dependence].Seen reports, the interval
// is as wide as that of [Dependence].Independent values. Otherwise it is that of [Median].
func MedianInOrder[T Value](values []T) Estimate[T] {
	if len(values) == 0 {
		return Estimate[T]{}
	}
	if d := NewDependence(values); d.Seen {
		return estimate(values, d.Independent)
	}
	return Median(values)
}
