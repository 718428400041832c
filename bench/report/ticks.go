package report

import (
	"math"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot"
)

// The axes of all plots are linear, also where they show logarithms: gonum's logarithmic axis
// misplaces the box of the axis label, and so leaves room next to it.

// rateTicks returns ticks at about five round values from 0 up.
func rateTicks(_, top float64) []plot.Tick {
	power := math.Pow(10, math.Floor(math.Log10(top/5)))
	step := power
	for _, factor := range []float64{2, 5, 10} {
		if top/step > 7 {
			step = factor * power
		}
	}
	var ticks []plot.Tick
	for i := 0; float64(i)*step <= top; i++ {
		value := float64(i) * step
		ticks = append(ticks, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'g', 6, 64)})
	}
	return ticks
}

// decadeTicks returns ticks at 1, 2 and 5 times the powers of ten. On an axis of more than two
// decades, only the powers have labels.
func decadeTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for power := math.Floor(low); power <= high; power++ {
		for _, factor := range []float64{1, 2, 5} {
			tick := plot.Tick{Value: power + math.Log10(factor)}
			if factor == 1 || high-low <= 2 {
				tick.Label = strconv.FormatFloat(factor*math.Pow(10, power), 'g', 6, 64)
			}
			if low <= tick.Value && tick.Value <= high {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}

// logMilliseconds returns the place of a time on an axis with decadeTicks.
func logMilliseconds(t time.Duration) float64 { return math.Log10(max(1, float64(t)) / 1e6) }

// valuePosition returns the function that places the swept values on an axis: by their logarithms
// when all have one, and each is twice the one before or all are numbers of requests.
func valuePosition(rows []Row) func(value int) float64 {
	double, requests := true, true
	var values []int
	for _, row := range rows {
		values = append(values, row.Value)
		requests = requests && row.Value == row.Requests
	}
	slices.Sort(values)
	values = slices.Compact(values)
	for i, value := range values[1:] {
		double = double && value == 2*values[i]
	}
	if values[0] >= 1 && (double || requests) {
		return func(value int) float64 { return math.Log2(float64(value)) }
	}
	return func(value int) float64 { return float64(value) }
}
