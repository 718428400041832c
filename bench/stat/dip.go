package stat

import "slices"

// hartigansDip returns Hartigans' dip of sorted values, by the algorithm of section 3 of their
// paper.
//
// The algorithm keeps an interval that must hold the mode, at first the whole sample. In it, it
// compares the greatest convex minorant of the distribution function with the least concave
// majorant, and shrinks the interval to where the two are farthest apart. It ends when they are no
// farther apart than the fit outside the interval already is. Distances are counted in values: the
// distribution function steps from i to i+1 at value i.
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

// hull returns the indices of the corners of the convex minorant (sign 1) or the concave majorant
// (sign −1) of the points (x[i], i) from low to high, in ascending order.
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

// along returns the height at x[i] of the line through corners.
func along(x []float64, corners []int, i int) float64 {
	a, b := atOrBefore(corners, i), atOrAfter(corners, i)
	if x[a] == x[b] {
		return float64(i)
	}
	return float64(a) + float64(b-a)*(x[i]-x[a])/(x[b]-x[a])
}

// atOrAfter returns the first corner that is not before i.
func atOrAfter(corners []int, i int) int {
	at, _ := slices.BinarySearch(corners, i)
	return corners[at]
}

// atOrBefore returns the last corner that is not after i.
func atOrBefore(corners []int, i int) int {
	at, found := slices.BinarySearch(corners, i)
	if !found {
		at--
	}
	return corners[at]
}
