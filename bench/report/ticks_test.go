package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
