package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/journal"
)

// The points that share an engine show together whether their trials depend on those before, and
// those of other engines do not matter. Journals of earlier rules are read as they were.
func TestDependenceIsPooled(t *testing.T) {
	rows := func(change func(*journal.Journal)) (drifts, calm, other Row) {
		studies := preset(t, "full")
		for i := range studies {
			studies[i].Points = studies[i].Points[:2]
		}
		j := journalOf(studies[:2], []float64{1, 1}, []float64{1, 1})
		exact := j.Trials
		j.Trials = nil
		for _, trial := range exact {
			for i, calm := range []int{100, 103, 98, 101, 97, 102, 99, 104, 96, 100} {
				trial.Trial, trial.Elapsed = i+1, time.Duration(calm)*time.Second
				if trial.PointID == studies[0].Points[0].ID() {
					trial.Elapsed = time.Duration(100+5*i) * time.Second
				}
				j.Trials = append(j.Trials, trial)
			}
		}
		change(j)
		r := New(j)
		return r.Studies[0].Rows[0], r.Studies[0].Rows[1], r.Studies[1].Rows[0]
	}
	drifts, calm, other := rows(func(*journal.Journal) {})
	assert.True(t, drifts.Dependence.Seen)
	assert.Equal(t, drifts.Dependence, calm.Dependence)
	assert.InDelta(t, 96e9, calm.Elapsed.Low, 0, "the whole range")
	assert.False(t, other.Dependence.Seen)
	assert.Greater(t, other.Elapsed.Low, 96*time.Second)

	_, calm, _ = rows(func(j *journal.Journal) { j.Header.Stopping.Pooled = false })
	assert.False(t, calm.Dependence.Seen)
	assert.Equal(t, other.Elapsed, calm.Elapsed)
}
