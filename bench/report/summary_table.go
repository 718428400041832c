package report

import (
	"fmt"
	"io"
	"slices"

	"vllmgo/bench/internal/format"
)

// writeSummary writes the results summary: a table with one row for each study.
func (r *Results) writeSummary(w io.Writer) error {
	var rows [][]string
	for _, s := range r.Studies {
		rows = append(rows, summaryRow(s))
	}
	caption := fmt.Sprintf("Results summary: %s, %s", r.model(), r.setting())
	header := []string{"experiment", "parameter range", "generated tok/s", "optimal point"}
	return format.Table(w, caption, header, rows, 4)
}

// summaryRow returns the row of a study.
func summaryRow(s StudyResult) []string {
	rows := measured(s.Rows)
	if len(rows) == 0 {
		return []string{s.Study.Parameter, format.None, "no row has figures", format.None}
	}
	best, worst := fastest(rows), slices.MinFunc(rows, byRate)
	return []string{
		s.Study.Parameter,
		fmt.Sprintf("%d to %d", rows[0].Value, rows[len(rows)-1].Value),
		fmt.Sprintf("%s to %s", format.Rate(worst.GeneratedPerSecond), format.Rate(best.GeneratedPerSecond)),
		fmt.Sprintf("%s (%s tok/s)", best.Point, format.Rate(best.GeneratedPerSecond)),
	}
}
