package report

import (
	"bytes"
	"encoding/json"
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

// Requests of one token have no gaps between tokens, and so neither ITL nor TPOT.
func TestLatenciesOfSingleTokens(t *testing.T) {
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
	row := r.Studies[0].Rows[2]
	var text bytes.Buffer
	require.NoError(t, r.writeLatencyTable(&text, r.Studies[0]))
	assert.Regexp(t, `1.00/1.00/1.00/1.00 │ +– │ +– │ 1000/1000/1000/1000`, text.String())
	object, err := json.Marshal(row.Latency)
	require.NoError(t, err)
	assert.NotContains(t, string(object), `"itl"`)
	assert.NotContains(t, string(object), `"tpot"`)
	require.NoError(t, r.WriteLatencyPlot(&text, r.Studies[0]))
	assert.Len(t, latencyMeasures([]Row{row}), 2)

	study.Points[2].OutputLen = 2 // the gaps are unknown, the lengths are not
	row = New(j).Studies[0].Rows[2]
	assert.Len(t, latencyMeasures([]Row{row}), 4)
	require.NoError(t, r.WriteLatencyPlot(&text, StudyResult{Study: study, Rows: []Row{row}}))
}
