package stat

import (
	"math"
	"slices"
)

// Dependence describes how much each value of a series depends on the one before. A machine whose
// speed drifts, or that switches between two speeds, gives times that do. Such times say less about
// the median than independent ones.
//
// Few values show little of it. Points that are measured in turns on one machine show it together:
// 16 points of 6 values have 80 pairs of neighbours, where one point has 5. How much they show
// depends on whether the machine treats the points of a round alike.
type Dependence struct {
	// Correlation is the correlation between the ranks of neighbouring values, between −1 and 1:
	//
	//	Σ d·d′ ÷ Σ d² + Σ (1 − 1/n) ÷ Σ (n − 1)
	//
	// The values of each series, as ratios to its median, share one ranking; equal ones share the
	// mean of their ranks. d is the distance of a rank from the mean of its series, d′ that of the
	// value before, and n the number of values of a series. The second term takes back the bias: of
	// independent values the first is as much below 0 on average. Correlation is 0 when the values
	// of each series are equal.
	Correlation float64 `json:"correlation"`
	// Pairs is the number of pairs of neighbours that say as much as those that Correlation comes
	// from: their number ÷ the design effect, which is at least 1,
	//
	//	Σ (Σ p)² ÷ Σ p²
	//
	// (L. Kish, Survey Sampling, 1965, section 5.4, with rounds as clusters). p is d·d′ less the
	// mean of all. The inner sum is over the pairs of a round, the values with the same place in
	// their series. When all series are alike, Pairs is that of one.
	Pairs float64 `json:"pairs"`
	// Independent is the number of independent values that say as much about the median:
	//
	//	n · (1 − ρ) ÷ (1 + ρ)
	//
	// rounded down, and at least 1 (G. V. Bayley and J. M. Hammersley, Journal of the Royal
	// Statistical Society, Supplement 8, 1946, for a correlation of ρ^k between values k apart). ρ
	// is Correlation + ½/√(Pairs + 1), half a standard error more than what was seen, and between 0
	// and 0.95.
	Independent int `json:"independent"`
	// Seen is true when independent values have such a correlation or a greater one with a
	// probability of about 5 % at most: when Correlation is above 1.645/√(Pairs + 1) (R. Bartels,
	// JASA 77, 1982).
	Seen bool `json:"seen"`
}

// tellingPairs is the least Dependence.Pairs that show whether values depend on the ones before.
// The standard error of the correlation is then 1/7.
const tellingPairs = 48

// NewDependence returns the dependence among values in the order in which they were measured, and
// in other series that were measured in turns with them. Independent is that of values. All must be
// above 0. NewDependence panics when there are no values.
func NewDependence[T Value](values []T, others ...[]T) Dependence {
	d := neighbours(slices.Concat([][]T{values}, others))
	n, deviation := float64(len(values)), 1/math.Sqrt(d.Pairs+1)
	d.Seen = d.Correlation > 1.645*deviation
	correlation := min(max(d.Correlation+0.5*deviation, 0), 0.95)
	d.Independent = max(1, int(n*(1-correlation)/(1+correlation)))
	return d
}

// Telling reports whether there were enough pairs of neighbours to show a dependence: whether Pairs
// is at least 48.
func (d Dependence) Telling() bool { return d.Pairs >= tellingPairs }

// neighbours returns the correlation of neighbours in all series.
func neighbours[T Value](all [][]T) Dependence {
	var rounds [][]float64 // of products of neighbours
	pairs, sum, squares, bias := 0.0, 0.0, 0.0, 0.0
	for _, distances := range rankDistances(all) {
		for i, distance := range distances {
			squares += distance * distance
			if i == 0 {
				continue
			}
			if i > len(rounds) {
				rounds = append(rounds, nil)
			}
			product := distance * distances[i-1]
			rounds[i-1] = append(rounds[i-1], product)
			sum += product
			pairs++
		}
		bias += 1 - 1/float64(max(1, len(distances)))
	}
	if squares == 0 {
		return Dependence{Pairs: pairs}
	}
	return Dependence{Correlation: sum/squares + bias/pairs, Pairs: pairs / designEffect(rounds, sum/pairs)}
}

// designEffect returns how many products of a round say as much as one of its own, at least 1.
func designEffect(rounds [][]float64, mean float64) float64 {
	together, apart := 0.0, 0.0
	for _, products := range rounds {
		sum := 0.0
		for _, p := range products {
			sum += p - mean
			apart += (p - mean) * (p - mean)
		}
		together += sum * sum
	}
	if apart == 0 {
		return 1
	}
	return max(1, together/apart)
}

// rankDistances returns the distance of each value's rank from the mean of its series. The values
// of all series, as ratios to the medians, share one ranking. Ranks are doubled.
func rankDistances[T Value](all [][]T) [][]float64 {
	distances := make([][]float64, len(all))
	for i, values := range all {
		distances[i] = toMedian(values)
	}
	sorted := slices.Concat(distances...)
	slices.Sort(sorted)
	ranks := doubleRanks(sorted)
	for _, series := range distances {
		sum := 0.0
		for i, ratio := range series {
			at, _ := slices.BinarySearch(sorted, ratio)
			series[i] = float64(ranks[at])
			sum += series[i]
		}
		for i := range series {
			series[i] -= sum / float64(len(series))
		}
	}
	return distances
}

// toMedian returns values as ratios to their median.
func toMedian[T Value](values []T) []float64 {
	n := len(values)
	if n == 0 {
		return nil
	}
	sorted, ratios := slices.Clone(values), make([]float64, n)
	slices.Sort(sorted)
	median := (float64(sorted[(n-1)/2]) + float64(sorted[n/2])) / 2
	for i, v := range values {
		ratios[i] = float64(v) / median
	}
	return ratios
}

// MedianInOrder returns the median of values in the order in which they were measured, and its
// interval. When values depend on the ones before, as [Dependence].Seen reports of them and of
// others, the interval is as wide as that of [Dependence].Independent values. Otherwise it is that
// of [Median].
func MedianInOrder[T Value](values []T, others ...[]T) Estimate[T] {
	if len(values) == 0 {
		return Estimate[T]{}
	}
	if d := NewDependence(values, others...); d.Seen {
		return estimate(values, d.Independent)
	}
	return Median(values)
}
