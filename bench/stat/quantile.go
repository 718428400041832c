package stat

import (
	"slices"
	"time"
)

// Outliers are the indices of the values more than three interquartile ranges outside the quartiles, which
// J. W. Tukey (Exploratory Data Analysis, 1977) calls far out.
func Outliers(times []time.Duration) []int {
	sorted := floats(times)
	slices.Sort(sorted)
	low, high := Quantile(sorted, 0.25), Quantile(sorted, 0.75)
	var indices []int
	for i, t := range times {
		if far := 3 * (high - low); float64(t) < low-far || float64(t) > high+far {
			indices = append(indices, i)
		}
	}
	return indices
}

// Quantile is a quantile of sorted values, between two of them by linear interpolation: numpy.percentile's
// default, which is definition 7 of R. J. Hyndman and Y. Fan (The American Statistician 50, 1996).
func Quantile(sorted []float64, q float64) float64 {
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
