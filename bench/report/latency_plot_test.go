package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/workload"
)

func TestNothingToPlot(t *testing.T) {
	r := New(journalOf(preset(t, "full")[2:], []float64{300, 800, 1000, 600, 900}))
	assert.ErrorContains(t, r.WriteSchedulerPlot(&bytes.Buffer{}, r.Studies[0]), "no scheduler counts")
	assert.ErrorContains(t, r.WriteLatencyPlot(&bytes.Buffer{}, r.Studies[0]), "no latencies")
}

// Requests of one token have no gaps between tokens.
func TestLatencyPlotOfSingleTokens(t *testing.T) {
	study := preset(t, "full")[2]
	for i := range study.Points {
		study.Points[i].OutputLen = 1
	}
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
	scheduled(j, study.Points[2], 1)
	for i := range j.Latencies[0].Requests {
		j.Latencies[0].Requests[i].ITL = nil
	}
	r := New(j)
	require.NoError(t, r.WriteLatencyPlot(&bytes.Buffer{}, r.Studies[0]))
}
