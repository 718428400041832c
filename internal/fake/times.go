package fake

import (
	"math"
	"math/rand/v2"
	"time"
)

// Times is n times around a median as a machine gives them: log-normal with 1 % of noise, and each
// tenth disturbed and up to a fifth longer.
func Times(r *rand.Rand, n int, median time.Duration) []time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		t := math.Exp(0.01 * r.NormFloat64())
		if t > 1 && r.IntN(5) == 0 { // of the slower half, so that the median stays
			t *= 1 + 0.2*r.Float64()
		}
		times[i] = time.Duration(t * float64(median))
	}
	return times
}
