package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// A pass that was disturbed does not stand for the others.
func TestPassOfMedianTime(t *testing.T) {
	study := preset(t, "full")[2]
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
	for i, seconds := range []time.Duration{7, 1, 2} {
		scheduled(j, study.Points[2], 1, journal.Counters{Running: i + 1})
		j.Latencies[i].Elapsed = seconds * time.Second
	}
	l := New(j).Studies[0].Rows[2].Latency
	assert.Equal(t, 50.0, l.Running, "100 requests of a second in two")
	assert.Equal(t, []journal.Counters{{Running: 3}}, l.Counters)
}
