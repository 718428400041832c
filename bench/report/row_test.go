package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
)

func TestMetrics(t *testing.T) {
	p := benchtest.Point(4, 128, 64)
	assert.Equal(t, 512.0, p.GeneratedRate(500*time.Millisecond))
	assert.Equal(t, 1536.0, p.TotalRate(500*time.Millisecond))
}

func TestJoulesPerToken(t *testing.T) {
	j := journalOf(preset(t, "full")[:1], []float64{1, 2, 3, 4, 5, 6})
	assert.Zero(t, New(j).Studies[0].Rows[0].JoulesPerToken)
	j.Trials[0].Usage.GPUs = []journal.GPUUsage{{Energy: 100}, {Energy: 28}}
	assert.Equal(t, 2.0, New(j).Studies[0].Rows[0].JoulesPerToken)
}
