package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/workload"
)

const (
	// doublingPays is the least gain in throughput, as a fraction, with which a doubling of the
	// batch pays.
	doublingPays = 0.25
	// dip is the least loss of throughput that is a dip, as a fraction of the row before. The
	// intervals of the two rows must not overlap either.
	dip = 0.05
)

// finding returns in words what the rows of the study show.
func (s StudyResult) finding() string {
	rows, failed := sound(s.Rows), failedLater(s.Rows)
	if len(rows) == 0 && failed == "" {
		return "No row was measured, so there is no finding."
	}
	text := ""
	switch {
	case len(rows) == 0:
		text = "No row is without a failed trial, so there is no finding."
	case s.Study.Sweep == workload.BatchSize:
		text = batchSizeFinding(rows)
	case s.Study.Sweep == workload.SequenceLength:
		text = sequenceLengthFinding(rows)
	default:
		text = peakAndDips(rows)
	}
	if failed != "" {
		text += " Left out, because a trial failed: " + failed + "."
	}
	if missing := unmeasured(s.Rows); missing != "" {
		text += " Without figures: " + missing + "."
	}
	return text
}

// batchSizeFinding returns the scaling efficiency of each batch size, and where doubling stops
// paying.
func batchSizeFinding(rows []Row) string {
	return batchEfficiency(rows) + " " + doublings(rows)
}

// batchEfficiency returns the scaling efficiency of each batch size: (tok/s at N ÷ tok/s at 1) ÷ N.
func batchEfficiency(rows []Row) string {
	first := rows[0]
	if first.Value != 1 {
		return "Scaling efficiency needs the row batch size 1, which is missing."
	}
	var parts []string
	for _, r := range rows {
		efficiency := r.GeneratedPerSecond / first.GeneratedPerSecond / float64(r.Value)
		parts = append(parts, fmt.Sprintf("%d: %s", r.Value, format.Percent(efficiency, 0)))
	}
	return "Scaling efficiency, (tok/s at N ÷ tok/s at 1) ÷ N: " + strings.Join(parts, ", ") + "."
}

// doublings returns what each doubling of the batch size gains, and where doubling stops paying: at
// the first doubling after which no other pays.
func doublings(rows []Row) string {
	var gains []string
	stops := "" // the first of the doublings at the end that do not pay
	for i, after := range rows[1:] {
		before := rows[i]
		if after.Value != 2*before.Value {
			continue
		}
		doubling := fmt.Sprintf("%d→%d", before.Value, after.Value)
		gain := after.GeneratedPerSecond/before.GeneratedPerSecond - 1
		gains = append(gains, fmt.Sprintf("%s: %s", doubling, format.Change(gain, 0)))
		if gain >= doublingPays {
			stops = ""
		} else if stops == "" {
			stops = doubling
		}
	}
	if len(gains) == 0 {
		return "No two measured rows are a doubling apart."
	}
	verdict := fmt.Sprintf(
		"doubling stops paying at %s: none from there on adds %s",
		stops,
		format.Percent(doublingPays, 0),
	)
	if stops == "" {
		verdict = fmt.Sprintf("the last adds at least %s, so doubling pays as far as this sweep goes",
			format.Percent(doublingPays, 0))
	}
	return fmt.Sprintf("Gains by doubling: %s; %s.", strings.Join(gains, ", "), verdict)
}

// sequenceLengthFinding returns the lengths with the most and the least throughput.
func sequenceLengthFinding(rows []Row) string {
	best, worst := fastest(rows), slices.MinFunc(rows, byRate)
	text := fmt.Sprintf("Best length: %d, with %s generated tok/s", best.Value, format.Rate(best.GeneratedPerSecond))
	if len(rows) == 1 {
		return text + "; it is the only row with figures."
	}
	return fmt.Sprintf("%s; the slowest is %d, with %s, %s less.", text, worst.Value,
		format.Rate(worst.GeneratedPerSecond), format.Percent(1-worst.GeneratedPerSecond/best.GeneratedPerSecond, 0))
}

// peakAndDips returns the row with the most throughput, and the rows that are slower than the row
// before with what the scheduler did there.
func peakAndDips(rows []Row) string {
	peak := fastest(rows)
	text := fmt.Sprintf("Peak: %s, with %s generated tok/s. ", peak.Point, format.Rate(peak.GeneratedPerSecond))
	var dips []string
	why := ""
	for i, after := range rows[1:] {
		before := rows[i]
		loss := 1 - after.GeneratedPerSecond/before.GeneratedPerSecond
		if loss > dip && after.slowerThan(before) {
			dips = append(dips, fmt.Sprintf("%s (%s below %s)", after.Point, format.Percent(loss, 0), before.Point))
			why += explainDip(before, after)
		}
	}
	if len(dips) == 0 {
		return text + fmt.Sprintf("No dips: no row is more than %s below the row before, beyond the intervals.",
			format.Percent(dip, 0))
	}
	return text + fmt.Sprintf("Dips, more than %s below the row before, beyond the intervals: %s.%s",
		format.Percent(dip, 0), format.List(dips), why)
}

// byRate orders rows by their generated tokens a second.
func byRate(a, b Row) int { return cmp.Compare(a.GeneratedPerSecond, b.GeneratedPerSecond) }

// fastest returns the first row with the most generated tokens a second. It panics when there are
// no rows.
func fastest(rows []Row) Row { return slices.MaxFunc(rows, byRate) }
