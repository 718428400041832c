package bench

import (
	"slices"
	"time"
)

// medianDuration is the middle value, or the mean of the two middle ones. It panics on no values.
func medianDuration(values []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
