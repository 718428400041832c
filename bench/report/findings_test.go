package report

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/workload"
)

func TestBatchSizeFinding(t *testing.T) {
	studies := preset(t, "full")[:1]
	finding := func(rates ...float64) string {
		return New(journalOf(studies, rates)).Studies[0].Finding
	}
	assert.Equal(t, "Scaling efficiency, (tok/s at N ÷ tok/s at 1) ÷ N: 1: 100 %, 2: 90 %, 4: 75 %, 8: 62 %, 16: 34 %, 32: 19 %."+
		" Gains by doubling: 1→2: +80 %, 2→4: +67 %, 4→8: +67 %, 8→16: +10 %, 16→32: +9 %; doubling stops paying at 8→16: none from there on adds 25 %.",
		finding(100, 180, 300, 500, 550, 600))
	assert.Contains(t, finding(100, 200, 400, 800, 1600, 3200), "32: 100 %. ")
	assert.Contains(t, finding(100, 200, 400, 800, 1600, 3200), "the last adds at least 25 %, so doubling pays as far as this sweep goes.")
	assert.Contains(t, finding(100, 110, 220, 440, 450, 460), "doubling stops paying at 8→16: none", "a slow start is no end")
	assert.Equal(t, "Scaling efficiency needs the row batch size 1, which is missing."+
		" Gains by doubling: 8→16: +100 %, 16→32: -25 %; doubling stops paying at 16→32: none from there on adds 25 %."+
		" Without figures: batch size 1 (failed) and batch size 4 (not measured).",
		finding(0, 200, -1, 800, 1600, 1200))
	assert.Equal(t, "Scaling efficiency, (tok/s at N ÷ tok/s at 1) ÷ N: 1: 100 %. No two measured rows are a doubling apart."+
		" Without figures: batch size 2 (not measured), batch size 4 (not measured), batch size 8 (not measured), batch size 16 (not measured) and batch size 32 (not measured).",
		finding(100, -1, -1, -1, -1, -1))
	assert.Equal(t, "No row was measured, so there is no finding.", finding(0, 0, 0, 0, 0, 0))
}

func TestSequenceLengthFinding(t *testing.T) {
	studies := preset(t, "full")[1:2]
	finding := func(rates ...float64) string {
		return New(journalOf(studies, rates)).Studies[0].Finding
	}
	assert.Equal(t, "Best length: 128, with 900 generated tok/s; the slowest is 512, with 300, 67 % less.", finding(500, 700, 900, 600, 300))
	assert.Equal(t, "Best length: 64, with 700 generated tok/s; it is the only row with figures."+
		" Without figures: sequence length 32 (failed), sequence length 128 (failed), sequence length 256 (failed) and sequence length 512 (failed).",
		finding(0, 700, 0, 0, 0))
}

func TestRequestCountFinding(t *testing.T) {
	studies := preset(t, "full")[2:]
	finding := func(rates ...float64) string {
		return New(journalOf(studies, rates)).Studies[0].Finding
	}
	assert.Equal(t, "Peak: request count 100, with 1000 generated tok/s. Dips, more than 5 % below the row before, beyond the intervals: request count 200 (40 % below request count 100).",
		finding(300, 800, 1000, 600, 900))
	assert.Equal(t, "Peak: request count 500, with 1000 generated tok/s. No dips: no row is more than 5 % below the row before, beyond the intervals.",
		finding(300, 800, 960, 930, 1000))
}

// A row within the intervals of the row before does not dip.
func TestNoDipWithinIntervals(t *testing.T) {
	study := preset(t, "full")[2]
	j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 900, 1000})
	for _, trial := range j.Trials[2:4] {
		trial.Trial = 2
		trial.Elapsed += trial.Elapsed / 4
		j.Trials = append(j.Trials, trial)
	}
	assert.Contains(t, New(j).Studies[0].Finding, "No dips")
}
