package stat

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// numpy.percentile(x, [0, 25, 50, 90, 99, 100]) of numpy.
func TestQuantile(t *testing.T) {
	x := []float64{1.5, 2.25, 3, 4, 7.5, 9.25}
	for q, want := range map[float64]float64{0: 1.5, 0.25: 2.4375, 0.5: 3.5, 0.9: 8.375, 0.99: 9.1625, 1: 9.25} {
		assert.InDelta(t, want, Quantile(x, q), 1e-12)
	}
	assert.Equal(t, 7.0, Quantile([]float64{7}, 0.9))
}
