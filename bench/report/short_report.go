package report

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/internal/plain"
)

// tableWidth is the greatest width of a table of the short report, in columns.
const tableWidth = 80

// WriteShort writes the report in short: what was measured, whether it can be trusted, a table and
// a finding for each study, the summary, the recommendations, and that dir has the details. Lines
// have at most width columns, and those of tables at most 80, as far as a table can be so narrow.
func (r *Results) WriteShort(w io.Writer, dir string, width int) error {
	var b bytes.Buffer // whose writes do not fail
	line := func(text string) { fmt.Fprintln(&b, format.Wrap(text, width)) }
	line("Measured: " + r.subject())
	line("Trust: " + r.trust())
	for _, s := range r.Studies {
		b.WriteString("\n")
		if err := r.writeShortStudy(&b, s, width); err != nil {
			return fmt.Errorf("bench: writing a table: %w", err)
		}
	}
	b.WriteString("\nSummary\n")
	if err := r.writeSummary(&b, "", min(width, tableWidth)); err != nil {
		return fmt.Errorf("bench: writing the summary: %w", err)
	}
	for _, text := range r.recommendations(false) {
		fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(format.Wrap(text, width-2), "\n", "\n  "))
	}
	for _, problem := range r.Problems {
		line("Problem: " + problem + ".")
	}
	fmt.Fprintf(&b, "\nDetails: %s\n", filepath.Join(dir, "report.txt"))
	_, err := plain.Writer(w).Write(b.Bytes())
	return err
}

// writeShortStudy writes a study's table, its notes and its finding.
func (r *Results) writeShortStudy(b *bytes.Buffer, s StudyResult, width int) error {
	title := format.Title(s.parameter())
	if fixed := s.Study.Fixed(); fixed != "" {
		title += ", " + fixed
	}
	fmt.Fprintln(b, format.Wrap(title, width))
	if s.Study.Scaled != "" {
		fmt.Fprintln(b, format.Wrap("Preset "+r.Header.Preset+" scales it: "+s.Study.Scaled+".", width))
	}
	var notes footnotes
	if err := writeShortTable(b, s, &notes, min(width, tableWidth)); err != nil {
		return err
	}
	if err := notes.write(b, width); err != nil {
		return err
	}
	fmt.Fprintln(b, format.Wrap(s.Finding, width))
	return nil
}

// writeShortTable writes a study's rows as a table of at most width columns, and adds their notes.
// Without notes there is no column for them.
func writeShortTable(b *bytes.Buffer, s StudyResult, notes *footnotes, width int) error {
	header := []string{s.parameter(), "generated tok/s", "interval %", "ms a token", "n", "notes"}
	var rows [][]string
	for _, row := range s.Rows {
		marks := row.Marks
		if row.measured() && !row.certain() {
			marks = append([]string{fewMark}, marks...)
		}
		rate := string(row.Status)
		if row.measured() {
			rate = format.Rate(row.GeneratedPerSecond)
		}
		rows = append(rows, []string{
			row.Name(), rate, intervalPercent(row),
			format.Known(row.measured(), format.Milliseconds(row.perToken())),
			fmt.Sprint(len(row.Trials)), strings.TrimSpace(notes.marks(marks)),
		})
	}
	if len(*notes) == 0 {
		last := len(header) - 1
		header = header[:last]
		for i := range rows {
			rows[i] = rows[i][:last]
		}
	}
	return narrowTable{header: header, rows: rows, textColumns: 1}.write(b, "", width)
}

// fewMark is the note at a row without an interval of 95 % confidence.
var fewMark = fmt.Sprintf("fewer than %d independent trials: the interval is their whole range, "+
	"with less than 95 %% confidence", leastTrials)

// intervalPercent returns the distances from a row's generated tokens a second to the ends of their
// interval, in per cent of it.
func intervalPercent(row Row) string {
	if row.Elapsed.N < 2 {
		return format.None
	}
	e := row.estimate(generated)
	change := func(end float64) string { return strings.TrimSuffix(format.Change(end/e.Value-1, 1), " %") }
	return change(e.Low) + " to " + change(e.High)
}
