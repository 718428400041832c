package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/workload"
)

// dip is the least loss of throughput that is a dip, as a fraction of the row before.
const dip = 0.05

// generated is the first of the two metrics.
var generated rate = workload.Point.GeneratedRate

// find sets in words what the rows of the study show, with how certain that is.
func (s *StudyResult) find() {
	rows, failed := sound(s.Rows), failedLater(s.Rows)
	switch {
	case len(rows) == 0 && failed == "":
		s.Finding = "No row was measured, so there is no finding."
		return
	case len(rows) == 0:
		s.Finding = "No row is without a failed trial, so there is no finding."
	case len(rows) == 1:
		s.Finding = fmt.Sprintf("%s gives %s generated tok/s; no other row has figures to compare it with.",
			format.Title(rows[0].Point.String()), format.Rate(rows[0].GeneratedPerSecond))
	case s.Study.Sweep == workload.BatchSize:
		s.Finding, s.Detail = batchSizeFinding(rows)
	case s.Study.Sweep == workload.SequenceLength:
		s.Finding = sequenceLengthFinding(rows)
	default:
		s.Finding = linesFinding(rows)
	}
	s.Finding += doubtful(rows)
	if failed != "" {
		s.Finding += " Left out, because a trial failed: " + failed + "."
	}
	if missing := unmeasured(s.Rows); missing != "" {
		s.Finding += " Without figures: " + missing + "."
	}
}

// sequenceLengthFinding returns the lengths with the most and the least throughput.
func sequenceLengthFinding(rows []Row) string {
	c := newContest(rows, generated)
	worst := slowest(rows)
	text := fmt.Sprintf("Fastest length: %s, with %s generated tok/s, %s.", c.best.Name(),
		format.Rate(c.best.GeneratedPerSecond), c.certainty())
	loss := format.Percent(1-worst.GeneratedPerSecond/c.best.GeneratedPerSecond, 0)
	if c.best.above(worst, generated) {
		return text + fmt.Sprintf(" The lowest is %s, with %s, %s less, %s.", worst.Name(),
			format.Rate(worst.GeneratedPerSecond), loss, beyond)
	}
	return text
}

// linesFinding returns the peak and the dips of each line of the rows.
func linesFinding(rows []Row) string {
	var texts []string
	for _, l := range lines(rows) {
		if len(l.rows) < 2 {
			continue
		}
		text := peakAndDips(l.rows)
		if l.name != "" {
			text = l.name + ": " + text
		}
		texts = append(texts, text)
	}
	if texts == nil {
		return "No two measured rows differ in one axis alone."
	}
	return strings.Join(texts, " ")
}

// peakAndDips returns the row with the most throughput, and the rows that are slower than the row
// before with what the scheduler did there.
func peakAndDips(rows []Row) string {
	c := newContest(rows, generated)
	text := fmt.Sprintf("Peak: %s, with %s generated tok/s, %s.", c.best.Point,
		format.Rate(c.best.GeneratedPerSecond), c.certainty())
	var dips, open []string
	why, need := "", 0
	var doubted []Row
	for i, after := range rows[1:] {
		before := rows[i]
		loss := 1 - after.GeneratedPerSecond/before.GeneratedPerSecond
		if loss <= dip {
			continue
		}
		name := fmt.Sprintf("%s (%s below %s)", after.Point, format.Percent(loss, 0), before.Point)
		if !before.above(after, generated) {
			open, doubted = append(open, name), append(doubted, before, after)
			need = max(need, needed(before, after, generated))
			continue
		}
		dips = append(dips, name)
		why += explainDip(before, after)
	}
	limit := fmt.Sprintf("more than %s below the one before", format.Percent(dip, 0))
	if len(dips) > 0 {
		text += fmt.Sprintf(" Dips, %s, %s: %s.%s", limit, beyond, format.List(dips), why)
	}
	few := only(rows, func(row Row) bool { return !row.certain() })
	switch {
	case len(open) > 0:
		text += fmt.Sprintf(" Perhaps a dip, %s: %s.", undecided("", need, doubted...), format.List(open))
	case len(dips) == 0 && len(few) > 0:
		text += fmt.Sprintf(" Whether there are dips is %s.",
			undecided("", mostOf(few, Row.neededForInterval), few...))
	case len(dips) == 0:
		text += fmt.Sprintf(" No dip is shown: no median is %s.", limit)
	}
	return text
}

// mostOf returns the greatest value of some rows.
func mostOf(rows []Row, of func(Row) int) int {
	most := 0
	for _, row := range rows {
		most = max(most, of(row))
	}
	return most
}

// compareRates orders rows by a rate.
func compareRates(a, b Row, of rate) int {
	return cmp.Compare(of(a.Point, a.Elapsed.Value), of(b.Point, b.Elapsed.Value))
}

// slowest returns the row with the least throughput, of which there must be one.
func slowest(rows []Row) Row {
	return slices.MinFunc(rows, func(a, b Row) int { return compareRates(a, b, generated) })
}
