package stat

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// diptest.diptest(x) of diptest 0.12.0, a port of R's package of that name; its p is interpolated
// from a table.
func TestModes(t *testing.T) {
	two := NewModes(ms(72, 74, 81, 80, 73, 120, 118, 125, 119, 77))
	assert.InDelta(t, 0.16818181818181818, two.Dip, 1e-12)
	assert.InDelta(t, 0.00464012562593108, two.P, 0.003)
	assert.True(t, two.Several())
	one := NewModes(ms(10, 11, 12, 13, 14, 15, 16, 17, 18, 30))
	assert.InDelta(t, 0.05, one.Dip, 1e-12)
	assert.Equal(t, 1.0, one.P)
	for _, c := range []struct {
		x   []float64
		dip float64
	}{
		{[]float64{-0.671, -0.629, -0.592, 0.209, 0.232, 0.425, 0.664, 0.7, 0.874, 0.928, 0.97, 1.11, 1.17, 1.83, 1.97}, 0.091022727273},
		{[]float64{-1.55, -1.17, -1.14, -0.932, -0.78, -0.459, 0.087, 0.161, 0.169, 0.493, 0.638, 0.88, 1.23, 1.32, 2.87}, 0.081622911695},
		{[]float64{-2.71, -1.62, 0.0417, 0.168, 0.548, 0.962, 1.11, 1.73, 1.93, 1.94, 2.33, 2.98, 3.37, 4.83, 5.02}, 0.061205551936},
		{[]float64{-1.26, -1.14, -0.665, -0.527, -0.323, -0.137, 0.519, 2.98, 3.59, 4.25, 4.6, 5.26, 5.36, 5.4, 5.42}, 0.136836422530},
		{[]float64{-1.61, -1.54, -1.13, -0.701, -0.603, -0.355, -0.34, -0.178, -0.0597, 0.0957, 0.203, 0.325, 0.619, 0.77, 1.81}, 0.058965896590},
	} {
		assert.InDelta(t, c.dip, hartigansDip(c.x), 1e-9)
	}
	assert.False(t, NewModes(ms(5)).Several())
	assert.False(t, NewModes(ms(5, 5, 5, 5, 5, 5, 5)).Several())
}
