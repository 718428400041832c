package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"vllmgo/internal/format"
)

// writeTable prints a study's rows, its caption above and its notes below.
func (r *Results) writeTable(w io.Writer, s StudyResult) error {
	var notes []string
	mark := func(row Row) string {
		marks := ""
		for _, note := range row.Notes {
			i := slices.Index(notes, note)
			if i < 0 {
				i = len(notes)
				notes = append(notes, note)
			}
			marks += fmt.Sprintf(" [%d]", i+1)
		}
		return marks
	}

	var rows [][]string
	for _, row := range s.Rows {
		elapsed, interval, generated, total := string(row.Status), "–", "–", "–"
		if row.Status == Measured {
			elapsed = format.Seconds(row.Elapsed.Value)
			interval = formatInterval(row.Elapsed)
			generated = format.Rate(row.GeneratedPerSecond)
			total = format.Rate(row.TotalPerSecond)
		}
		rows = append(rows, []string{
			row.Point.String(),
			strconv.Itoa(row.Requests),
			strconv.Itoa(row.InputTokens()),
			strconv.Itoa(row.OutputTokens()),
			elapsed + mark(row),
			interval,
			strconv.Itoa(len(row.Trials)),
			generated,
			total,
			checksCell(row),
		})
		if r.Header.Cold {
			last := len(rows) - 1
			rows[last] = append(rows[last], coldCells(row)...)
		}
	}
	caption := format.Title(s.Study.Parameter)
	if fixed := s.Study.Fixed(); fixed != "" {
		caption += ", " + fixed
	}
	caption += fmt.Sprintf(": %s, %s", r.model(), r.setting())
	header := []string{"point", "requests", "input tokens", "output tokens", "elapsed s", "interval s", "trials", "generated tok/s", "total tok/s", "checks"}
	if r.Header.Cold {
		header = append(header, "cold s", "of the cold time")
	}
	if err := format.Table(w, caption, header, rows, 1); err != nil {
		return err
	}
	for i, note := range notes {
		if _, err := fmt.Fprintf(w, "[%d] %s\n", i+1, strings.ReplaceAll(strings.TrimSpace(note), "\n", "\n    ")); err != nil {
			return err
		}
	}
	return nil
}

// checksCell says whether all checks passed.
func checksCell(row Row) string {
	failed := len(row.failedChecks())
	switch {
	case len(row.Checks) == 0:
		return "–"
	case failed == 0:
		return "ok"
	}
	return fmt.Sprintf("%d failed", failed)
}

// coldCells are the columns for the cold time.
func coldCells(row Row) []string {
	if row.Cold.Elapsed == 0 {
		return []string{"–", "–"}
	}
	return []string{format.Seconds(row.Cold.Elapsed), row.Cold.String()}
}

// writeSummary prints the results summary: one row a study.
func (r *Results) writeSummary(w io.Writer) error {
	var rows [][]string
	for _, s := range r.Studies {
		rows = append(rows, summaryRow(s))
	}
	caption := fmt.Sprintf("Results summary: %s, %s", r.model(), r.setting())
	header := []string{"experiment", "parameter range", "generated tok/s", "optimal point"}
	return format.Table(w, caption, header, rows, 4)
}

func summaryRow(s StudyResult) []string {
	rows := measured(s.Rows)
	if len(rows) == 0 {
		return []string{s.Study.Parameter, "–", "no row has figures", "–"}
	}
	best, worst := fastest(rows), slices.MinFunc(rows, byRate)
	low, high := rows[0].Value, rows[len(rows)-1].Value
	return []string{
		s.Study.Parameter,
		fmt.Sprintf("%d to %d", low, high),
		fmt.Sprintf("%s to %s", format.Rate(worst.GeneratedPerSecond), format.Rate(best.GeneratedPerSecond)),
		fmt.Sprintf("%s (%s tok/s)", best.Point, format.Rate(best.GeneratedPerSecond)),
	}
}
