package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// findings returns a function that returns the results of a sweep of the full preset, with six
// trials of each point that has a rate.
func findings(t *testing.T, sweep int) func(rates ...float64) StudyResult {
	t.Helper()
	studies := preset(t, "full")[sweep : sweep+1]
	return func(rates ...float64) StudyResult { return New(repeated(journalOf(studies, rates))).Studies[0] }
}

func TestBatchSizeFinding(t *testing.T) {
	finding := findings(t, 0)
	s := finding(100, 180, 300, 500, 550, 600)
	assert.Equal(t, "Doubling the batch adds 25 % or more up to 4→8 and less from 8→16 on, beyond the 95 % intervals.", s.Finding)
	assert.Equal(t, "Gains by doubling: 1→2: +80 % [+76 %, +84 %], 2→4: +67 % [+63 %, +70 %], 4→8: +67 % [+63 %, +70 %], 8→16: +10 % [+8 %, +12 %], 16→32: +9 % [+7 %, +11 %]."+
		" Scaling efficiency of the medians, (tok/s at N ÷ tok/s at 1) ÷ N: 1: 100 %, 2: 90 %, 4: 75 %, 8: 62 %, 16: 34 %, 32: 19 %.", s.Detail)
	s = finding(100, 200, 400, 800, 1600, 3200)
	assert.Equal(t, "Doubling the batch adds 25 % or more up to 16→32, beyond the 95 % intervals: it pays as far as this sweep goes.", s.Finding)
	assert.Contains(t, s.Detail, "32: 100 %.")
	assert.Contains(t, finding(100, 110, 220, 440, 450, 460).Finding, "up to 4→8 and less from 8→16 on", "a slow start is no end")
	assert.Equal(t, "No doubling of the batch adds 25 %, beyond the 95 % intervals.", finding(100, 110, 120, 130, 140, 150).Finding)
	s = finding(0, 200, -1, 800, 1600, 1200)
	assert.Equal(t, "Doubling the batch adds 25 % or more up to 8→16 and less from 16→32 on, beyond the 95 % intervals."+
		" Without figures: batch size 1 (failed) and batch size 4 (not measured).", s.Finding)
	assert.Contains(t, s.Detail, "Scaling efficiency needs the row batch size 1, which is missing.")
	assert.Equal(t, "No two measured rows are a doubling apart. Without figures: batch size 2 (failed), batch size 8 (failed) and batch size 32 (failed).",
		finding(100, 0, 300, 0, 900, 0).Finding)
	assert.Equal(t, "No row was measured, so there is no finding.", finding(0, 0, 0, 0, 0, 0).Finding)
}

// What the intervals do not decide is said, with the trials that would.
func TestUndecidedBatchSize(t *testing.T) {
	finding := findings(t, 0)
	assert.Equal(t, "Doubling the batch adds 25 % or more up to 2→4, beyond the 95 % intervals. Whether doubling adds 25 % at 4→8 is not decided: 6 trials, needs about 10.",
		finding(100, 200, 400, 508, 510, 512).Finding, "27 %, give or take 2.5")
	assert.Equal(t, "Whether doubling adds 25 % at 1→2 is not decided: 6 trials, needs more than 1000.", finding(100, 125, 130, 135, 140, 145).Finding)
	once := New(journalOf(preset(t, "full")[:1], []float64{100, 200, 400, 800, 1600, 3200})).Studies[0]
	assert.Equal(t, "Whether doubling adds 25 % at 1→2, 2→4, 4→8, 8→16 and 16→32 is not decided: 1 trial, needs 6.", once.Finding)
	assert.Contains(t, once.Detail, "1→2: +100 %, 2→4", "a gain without an interval has none")
}

func TestSequenceLengthFinding(t *testing.T) {
	finding := findings(t, 1)
	assert.Equal(t, "Fastest length: 128, with 900 generated tok/s, beyond the 95 % intervals. The lowest is 512, with 300, 67 % less, beyond the 95 % intervals.",
		finding(500, 700, 900, 600, 300).Finding)
	assert.Equal(t, "Fastest length: 64, with 700 generated tok/s, not decided against 32: 6 trials, needs about 12. The lowest is 512, with 300, 57 % less, beyond the 95 % intervals.",
		finding(690, 700, 600, 600, 300).Finding)
	assert.Equal(t, "Sequence length 64 gives 700 generated tok/s; no other row has figures to compare it with."+
		" Without figures: sequence length 32 (failed), sequence length 128 (failed), sequence length 256 (failed) and sequence length 512 (failed).",
		finding(0, 700, 0, 0, 0).Finding)
	once := New(journalOf(preset(t, "full")[1:2], []float64{500, 700, 900, 231, 300})).Studies[0]
	assert.Equal(t, "Fastest length: 128, with 900 generated tok/s, not decided: 1 trial, needs 6.", once.Finding, "and nothing of the slowest")
}

func TestRequestCountFinding(t *testing.T) {
	finding := findings(t, 2)
	assert.Equal(t, "Peak: request count 100, with 1000 generated tok/s, beyond the 95 % intervals."+
		" Dips, more than 5 % below the one before, beyond the 95 % intervals: request count 200 (40 % below request count 100).",
		finding(300, 800, 1000, 600, 900).Finding)
	assert.Equal(t, "Peak: request count 500, with 1000 generated tok/s, beyond the 95 % intervals. No dip is shown: no median is more than 5 % below the one before.",
		finding(300, 800, 960, 930, 1000).Finding)
	once := New(journalOf(preset(t, "full")[2:], []float64{300, 800, 1000, 600, 900})).Studies[0]
	assert.Equal(t, "Peak: request count 100, with 1000 generated tok/s, not decided: 1 trial, needs 6."+
		" Perhaps a dip, not decided: 1 trial, needs 6: request count 200 (40 % below request count 100).", once.Finding)
	once = New(journalOf(preset(t, "full")[2:], []float64{300, 800, 900, 910, 920})).Studies[0]
	assert.Contains(t, once.Finding, "Whether there are dips is not decided: 1 trial, needs 6.")
}

// A row within the intervals of the row before does not dip.
func TestNoDipWithinIntervals(t *testing.T) {
	j := repeated(journalOf(preset(t, "full")[2:], []float64{300, 800, 1000, 900, 1000}))
	for i := range j.Trials {
		if p := j.Trials[i].Value; (p == 100 || p == 200) && j.Trials[i].Trial%2 == 0 {
			j.Trials[i].Elapsed += j.Trials[i].Elapsed / 4
		}
	}
	finding := New(j).Studies[0].Finding
	assert.NotContains(t, finding, "Dips")
	assert.Contains(t, finding, "Perhaps a dip, not decided: 6 trials, needs about ")
}

// A row that failed a check is named beside what it is part of.
func TestFindingOfDoubtfulRows(t *testing.T) {
	j := repeated(journalOf(preset(t, "full")[2:], []float64{300, 800, 900, 910, 1000}))
	j.Trials[0].Usage.OtherCores = 1
	assert.Contains(t, New(j).Studies[0].Finding, " With care, because a check failed (other load): 10.")
	for i := range j.Trials {
		j.Trials[i].Usage.OtherCores = 1
	}
	assert.Contains(t, New(j).Studies[0].Finding, " With care, because every row failed a check (other load).")
}

// A grid is as many lines as its second axis has values, and no line knows the rows of another.
func TestGridFinding(t *testing.T) {
	study := studyOf(t, "grid", workload.Axis{Name: "max_num_seqs", Values: []any{8, 16, 32}},
		workload.Axis{Name: "dtype", Values: []any{"float16", "bfloat16"}})
	s := New(repeated(journalOf([]workload.Study{study}, []float64{500, 100, 600, 200, 700, 150}))).Studies[0]
	assert.Equal(t, "dtype=float16: Peak: max_num_seqs=32, with 700 generated tok/s, beyond the 95 % intervals. No dip is shown: no median is more than 5 % below the one before."+
		" dtype=bfloat16: Peak: max_num_seqs=16, with 200 generated tok/s, beyond the 95 % intervals."+
		" Dips, more than 5 % below the one before, beyond the 95 % intervals: max_num_seqs=32 (25 % below max_num_seqs=16).", s.Finding)
	assert.Equal(t, []string{"max_num_seqs × dtype", "6 points", "100 to 700", "max_num_seqs=32, dtype=float16 (700 tok/s)"}, summaryRow(s))
	s = New(journalOf([]workload.Study{study}, []float64{500, 0, 0, 200, 0, 0})).Studies[0]
	assert.Contains(t, s.Finding, "No two measured rows differ in one axis alone.")
}

// More trials than there are at hand, and never fewer than an interval needs.
func TestNeededTrials(t *testing.T) {
	assert.Equal(t, 24, neededFor(6, 2, 1))
	assert.Equal(t, 7, neededFor(6, 1.01, 1))
	assert.Equal(t, mostNeeded+1, neededFor(6, 1, 0))
	row := Row{Trials: make([]journal.Trial, 12), Elapsed: stat.Estimate[time.Duration]{Confidence: 0.97}}
	assert.Zero(t, row.neededForInterval())
	row.Elapsed.Confidence, row.Dependence.Independent = 0.75, 3
	assert.Equal(t, 24, row.neededForInterval(), "trials that depend on each other say less")
	row.Trials = row.Trials[:3]
	assert.Equal(t, leastTrials, row.neededForInterval())
}
