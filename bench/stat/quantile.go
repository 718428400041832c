package stat

import "time"

// Quantile returns a quantile of values in ascending order; 0.5 is the median. Between two values
// it interpolates linearly, as numpy.percentile does: definition 7 of R. J. Hyndman and Y. Fan (The
// American Statistician 50, 1996). It panics when there are no values.
func Quantile(sorted []float64, q float64) float64 {
	position := q * float64(len(sorted)-1)
	i := min(int(position), len(sorted)-2)
	if i < 0 {
		return sorted[0]
	}
	return sorted[i] + (position-float64(i))*(sorted[i+1]-sorted[i])
}

// floats returns times as numbers.
func floats(times []time.Duration) []float64 {
	values := make([]float64, len(times))
	for i, t := range times {
		values[i] = float64(t)
	}
	return values
}
