package engines

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/workload"
)

// Points with the same settings share an engine. A point has all of its group but itself beside it.
func TestOthers(t *testing.T) {
	groups := []Group{
		{Points: []workload.Point{point(1, 32, 32), point(2, 32, 32), point(4, 32, 32)}},
		{Points: []workload.Point{point(8, 32, 32)}},
	}
	times := func(p workload.PointID) []time.Duration { return []time.Duration{time.Duration(p.Value)} }
	of := func(p workload.Point) [][]time.Duration { return Others(groups, p.ID(), times) }
	assert.Equal(t, [][]time.Duration{{1}, {4}}, of(groups[0].Points[1]))
	assert.Empty(t, of(groups[1].Points[0]))
	assert.Empty(t, of(point(16, 32, 32)), "no point of the run")
}
