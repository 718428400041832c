package report

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/workload"
)

// Load of others while latencies are measured is noted.
func TestLoadDuringLatencies(t *testing.T) {
	study := preset(t, "full")[2]
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
	scheduled(j, study.Points[2], 1)
	scheduled(j, study.Points[2], 1)
	j.Latencies[1].Usage.OtherCores = 0.5
	row := New(j).Studies[0].Rows[2]
	assert.Equal(t, []string{"other load while latencies were measured: in 1 of 2 latency passes; at worst others kept 0.50 cores busy, the hypervisor took 0.0 %, a quota held back 0.0 %"}, row.Notes)
	assert.Empty(t, row.failedChecks(), "the trials were undisturbed")
}
