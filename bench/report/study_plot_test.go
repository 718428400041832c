package report

import (
	"bytes"
	"image/png"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlot(t *testing.T) {
	studies := preset(t, "full")
	r := New(journalOf(studies, []float64{100, -1, -1, -1, -1, -1}, []float64{0, 5, 0, 0, 0}, []float64{1, 2, 3, 4, 5}))
	for _, s := range r.Studies {
		var b bytes.Buffer
		require.NoError(t, r.WritePlot(&b, s))
		image, err := png.Decode(&b)
		require.NoError(t, err)
		assert.Greater(t, image.Bounds().Dx(), 1000)
	}
	single := r.Studies[0]
	single.Rows = single.Rows[:1]
	require.NoError(t, r.WritePlot(&bytes.Buffer{}, single), "a sweep of one point")
}
