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

// summaryRow returns the row of a study: of its points without a failed trial.
func summaryRow(s StudyResult) []string {
	rows := sound(s.Rows)
	switch {
	case len(measured(s.Rows)) == 0:
		return []string{s.Study.Parameter, format.None, "no row has figures", format.None}
	case len(rows) == 0:
		return []string{s.Study.Parameter, format.None, "a trial of each row failed", format.None}
	}
	best, worst := fastest(rows), slices.MinFunc(rows, byRate)
	return []string{
		s.Study.Parameter,
		fmt.Sprintf("%s to %s", rows[0].Name(), rows[len(rows)-1].Name()),
		fmt.Sprintf("%s to %s", format.Rate(worst.GeneratedPerSecond), format.Rate(best.GeneratedPerSecond)),
		fmt.Sprintf("%s (%s tok/s)", best.Point, format.Rate(best.GeneratedPerSecond)),
	}
}
