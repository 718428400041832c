package race

import (
	"maps"
	"slices"

	gonum "gonum.org/v1/gonum/stat"
)

// roundRatios returns, by round, the first contender's rate over the other's at a point. Both
// generate the same number of tokens, so this is the ratio of their times the other way round.
func roundRatios(own, first passes) map[int]float64 {
	ratios := map[int]float64{}
	for _, t := range own {
		if other, found := first.in(t.Round); found {
			ratios[t.Round] = t.Wall.Seconds() / other.Wall.Seconds()
		}
	}
	return ratios
}

// meanRatios returns, by round, the geometric mean of the ratios over all points. It leaves out
// rounds that lack a point. The passes of both contenders are of the same points.
func meanRatios(own, first []passes) map[int]float64 {
	ratios := map[int][]float64{}
	for i := range own {
		for round, ratio := range roundRatios(own[i], first[i]) {
			ratios[round] = append(ratios[round], ratio)
		}
	}
	means := map[int]float64{}
	for round, each := range ratios {
		if len(each) == len(own) {
			means[round] = gonum.GeometricMean(each, nil)
		}
	}
	return means
}

// perCycle returns the geometric mean of the ratios in each cycle, which is length rounds. It
// leaves out cycles that lack a round.
//
// When engines are loaded for each round, their place in the order of loading can matter more than
// the contender. In a cycle each contender has each place once, so that this cancels out.
func perCycle(ratios map[int]float64, length int) []float64 {
	cycles := map[int][]float64{}
	for _, round := range slices.Sorted(maps.Keys(ratios)) {
		cycle := (round - 1) / length
		cycles[cycle] = append(cycles[cycle], ratios[round])
	}
	var values []float64
	for _, cycle := range cycles {
		if len(cycle) == length {
			values = append(values, gonum.GeometricMean(cycle, nil))
		}
	}
	return values
}
