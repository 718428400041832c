package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
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
			elapsed = formatSeconds(row.Elapsed.Value)
			interval = formatInterval(row.Elapsed)
			generated = formatRate(row.GeneratedPerSecond)
			total = formatRate(row.TotalPerSecond)
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
	caption := title(s.Study.Parameter)
	if fixed := s.Study.fixed(); fixed != "" {
		caption += ", " + fixed
	}
	caption += fmt.Sprintf(": %s, %s", r.model(), r.setting())
	header := []string{"point", "requests", "input tokens", "output tokens", "elapsed s", "interval s", "trials", "generated tok/s", "total tok/s", "checks"}
	if r.Header.Cold {
		header = append(header, "cold s", "of the cold time")
	}
	if err := RenderTable(w, caption, header, rows, 1); err != nil {
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
	return []string{formatSeconds(row.Cold.Elapsed), row.Cold.verdict()}
}

// writeSummary prints the results summary: one row a study.
func (r *Results) writeSummary(w io.Writer) error {
	var rows [][]string
	for _, s := range r.Studies {
		rows = append(rows, summaryRow(s))
	}
	caption := fmt.Sprintf("Results summary: %s, %s", r.model(), r.setting())
	header := []string{"experiment", "parameter range", "generated tok/s", "optimal point"}
	return RenderTable(w, caption, header, rows, 4)
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
		fmt.Sprintf("%s to %s", formatRate(worst.GeneratedPerSecond), formatRate(best.GeneratedPerSecond)),
		fmt.Sprintf("%s (%s tok/s)", best.Point, formatRate(best.GeneratedPerSecond)),
	}
}

// RenderTable prints a table whose first textColumns columns are text, aligned left, and the others
// figures, aligned right.
func RenderTable(w io.Writer, caption string, header []string, rows [][]string, textColumns int) error {
	align := make([]tw.Align, len(header))
	for i := range align {
		align[i] = tw.AlignRight
		if i < textColumns {
			align[i] = tw.AlignLeft
		}
	}
	table := tablewriter.NewTable(w,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	)
	table.Caption(tw.Caption{Text: caption, Spot: tw.SpotTopLeft, Align: tw.AlignLeft})
	table.Header(header)
	if err := table.Bulk(rows); err != nil {
		return err
	}
	return table.Render()
}

// title is text with its first letter in upper case.
func title(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
