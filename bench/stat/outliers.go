package stat

import (
	"slices"
	"time"
)

// Outliers returns the indices of the times that are more than three interquartile ranges outside
// the quartiles. J. W. Tukey (Exploratory Data Analysis, 1977) calls them far out.
func Outliers(times []time.Duration) []int {
	sorted := floats(times)
	slices.Sort(sorted)
	low, high := Quantile(sorted, 0.25), Quantile(sorted, 0.75)
	far := 3 * (high - low)
	var indices []int
	for i, t := range times {
		if float64(t) < low-far || float64(t) > high+far {
			indices = append(indices, i)
		}
	}
	return indices
}
