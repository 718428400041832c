package report

import (
	"bytes"
	"fmt"

	"vllmgo/bench/internal/format"
)

// writeSummary writes the results summary: a table of at most width columns with a row for each
// study.
func (r *Results) writeSummary(b *bytes.Buffer, caption string, width int) error {
	var rows [][]string
	for _, s := range r.Studies {
		rows = append(rows, summaryRow(s))
	}
	header := []string{"experiment", "range", "generated tok/s", "optimal point"}
	return narrowTable{header: header, rows: rows, flexible: 3, textColumns: 4}.write(b, caption, width)
}

// summaryRow returns the row of a study: of its points without a failed trial.
func summaryRow(s StudyResult) []string {
	rows := sound(s.Rows)
	switch {
	case len(measured(s.Rows)) == 0:
		return []string{s.parameter(), format.None, "no row has figures", format.None}
	case len(rows) == 0:
		return []string{s.parameter(), format.None, "a trial of each row failed", format.None}
	}
	c := newContest(rows, generated)
	optimal := fmt.Sprintf("%s (%s tok/s)", c.best.Name(), format.Rate(c.best.GeneratedPerSecond))
	if !c.decided() {
		optimal += ", not decided"
	}
	return []string{
		s.parameter(),
		valueRange(rows),
		fromTo(format.Rate(slowest(rows).GeneratedPerSecond), format.Rate(c.best.GeneratedPerSecond)),
		optimal,
	}
}

// valueRange returns the first and the last value of a sweep, or the number of points of a grid,
// which have no order.
func valueRange(rows []Row) string {
	if len(rows[0].Coordinates) > 1 {
		return format.Count(len(rows), "point")
	}
	return fromTo(rows[0].Name(), rows[len(rows)-1].Name())
}

// fromTo returns a range, or its one value.
func fromTo(low, high string) string {
	if low == high {
		return low
	}
	return low + " to " + high
}
