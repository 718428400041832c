package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/workload"
)

func TestRateTicks(t *testing.T) {
	for top, want := range map[float64][]string{
		0.9:   {"0", "0.2", "0.4", "0.6", "0.8"},
		5:     {"0", "1", "2", "3", "4", "5"},
		125:   {"0", "20", "40", "60", "80", "100", "120"},
		48000: {"0", "10000", "20000", "30000", "40000"},
	} {
		var labels []string
		for _, tick := range rateTicks(0, top) {
			labels = append(labels, tick.Label)
		}
		assert.Equal(t, want, labels, "up to %v", top)
	}
}

// Values that double, and numbers of requests, are placed by their logarithms, if they have any.
func TestValuePosition(t *testing.T) {
	for _, c := range []struct {
		values []int
		last   float64
	}{
		{[]int{1, 2, 4}, 2}, {[]int{8, 16}, 4}, {[]int{1, 2, 3}, 3}, {[]int{0}, 0}, {[]int{0, 1, 2}, 2}, {[]int{-4, -2, -1}, -1},
	} {
		var rows []Row
		for _, value := range c.values {
			rows = append(rows, Row{Point: workload.Point{Value: value}})
		}
		assert.Equal(t, c.last, valuePosition(rows)(c.values[len(c.values)-1]), "%v", c.values)
	}
	for _, study := range []int{0, 2} { // batch sizes and request counts
		rows := New(journalOf(preset(t, "full")[study:study+1], make([]float64, 6))).Studies[0].Rows
		assert.InDelta(t, math.Log2(50), valuePosition(rows)(50), 1e-9)
	}
}
