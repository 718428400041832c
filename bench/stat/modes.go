package stat

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Modes is what a sample says about the number of modes of what was sampled: a machine that switches between two
// speeds gives times with two.
type Modes struct {
	// Dip is the greatest distance between the sample's distribution function and the unimodal one that is
	// closest to it (J. A. and P. M. Hartigan, Annals of Statistics 13, 1985), from 1/(2n) to ¼.
	Dip float64 `json:"dip"`
	// P is the probability of so great a dip in a sample of the uniform distribution, the unimodal one with the
	// greatest, found with 2,000 random samples. Fewer than 6 trials show nothing, few trials little.
	P float64 `json:"p"`
}

// NewModes tests times for more modes than one. It panics on no times.
func NewModes(times []time.Duration) Modes {
	const samples = 2000
	sorted := floats(times)
	slices.Sort(sorted)
	m := Modes{Dip: hartigansDip(sorted)}
	r := rand.New(rand.NewPCG(0, uint64(len(times))))
	reached := 0
	for range samples {
		for i := range sorted {
			sorted[i] = r.Float64()
		}
		slices.Sort(sorted)
		if hartigansDip(sorted) >= m.Dip {
			reached++
		}
	}
	m.P = float64(reached+1) / (samples + 1)
	return m
}

// Several reports whether the times have more modes than one beyond chance.
func (m Modes) Several() bool { return m.P <= significance }

// hartigansDip computes Hartigans' dip of sorted values by the algorithm of their paper's section 3.
//
// Within an interval that must hold the mode, at first the whole sample, it compares the greatest convex
// minorant of the distribution function with its least concave majorant. Where they are farthest apart, the
// interval shrinks, as long as they are farther apart than the fit outside of it is bad already.
// Distances are counted in values: the distribution function steps from i to i+1 at value i.
func hartigansDip(x []float64) float64 {
	low, high, worst := 0, len(x)-1, 1.0
	for {
		minorant, majorant := hull(x, low, high, 1), hull(x, low, high, -1)
		farthest, newLow, newHigh := 0.0, low, high
		for _, v := range minorant {
			if d := along(x, majorant, v) + 1 - float64(v); d > farthest {
				farthest, newLow, newHigh = d, v, atOrAfter(majorant, v)
			}
		}
		for _, v := range majorant {
			if d := float64(v) + 1 - along(x, minorant, v); d > farthest {
				farthest, newLow, newHigh = d, atOrBefore(minorant, v), v
			}
		}
		if farthest <= worst {
			break
		}
		for i := low; i <= newLow; i++ {
			worst = max(worst, float64(i)+1-along(x, minorant, i))
		}
		for i := newHigh; i <= high; i++ {
			worst = max(worst, along(x, majorant, i)+1-float64(i))
		}
		if newLow == low && newHigh == high {
			break
		}
		low, high = newLow, newHigh
	}
	return worst / float64(2*len(x))
}

// hull is the indices, ascending, of the corners of the convex minorant (sign 1) or concave majorant (sign −1) of the
// points (x[i], i) from low to high.
func hull(x []float64, low, high int, sign float64) []int {
	corners := make([]int, 0, high-low+1)
	for i := low; i <= high; i++ {
		for len(corners) > 1 {
			a, b := corners[len(corners)-2], corners[len(corners)-1]
			if sign*(float64(b-a)*(x[i]-x[b])-float64(i-b)*(x[b]-x[a])) < 0 {
				break // the slope from a to b is below (above) that from b to i
			}
			corners = corners[:len(corners)-1]
		}
		corners = append(corners, i)
	}
	return corners
}

// along is the height at x[i] of the line through corners.
func along(x []float64, corners []int, i int) float64 {
	b := atOrAfter(corners, i)
	a := atOrBefore(corners, i)
	if x[a] == x[b] {
		return float64(i)
	}
	return float64(a) + float64(b-a)*(x[i]-x[a])/(x[b]-x[a])
}

// atOrAfter is the first corner that is not before i.
func atOrAfter(corners []int, i int) int {
	at, _ := slices.BinarySearch(corners, i)
	return corners[at]
}

// atOrBefore is the last corner that is not after i.
func atOrBefore(corners []int, i int) int {
	at, found := slices.BinarySearch(corners, i)
	if !found {
		at--
	}
	return corners[at]
}
