package report

import (
	"fmt"
	"io"
	"strconv"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/workload"
)

// writeTable writes a study's rows as a table, with their notes below it.
func (r *Results) writeTable(w io.Writer, s StudyResult) error {
	var notes footnotes
	var columns format.Columns[Row]
	columns.Add("point", func(row Row) string { return row.Point.String() })
	columns.Add("requests", func(row Row) string { return strconv.Itoa(row.Requests) })
	columns.Add("input tokens", func(row Row) string { return strconv.Itoa(row.InputTokens()) })
	columns.Add("output tokens", func(row Row) string { return strconv.Itoa(row.OutputTokens()) })
	columns.Add("elapsed s", func(row Row) string {
		elapsed := string(row.Status)
		if row.measured() {
			elapsed = format.Seconds(row.Elapsed.Value)
		}
		return elapsed + notes.marks(row.Notes)
	})
	columns.Add("interval s", func(row Row) string { return format.Interval(row.Elapsed, format.Seconds) })
	columns.Add("trials", func(row Row) string { return strconv.Itoa(len(row.Trials)) })
	columns.Add("generated tok/s", func(row Row) string { return rateCell(row, workload.Point.GeneratedRate) })
	columns.Add("total tok/s", func(row Row) string { return rateCell(row, workload.Point.TotalRate) })
	columns.Add("checks", checksCell)
	if r.Header.Cold {
		cold := func(row Row) bool { return row.Cold.Elapsed != 0 }
		columns.Add("cold s", func(row Row) string { return format.Known(cold(row), format.Seconds(row.Cold.Elapsed)) })
		columns.Add("of the cold time", func(row Row) string { return format.Known(cold(row), row.Cold.String()) })
	}
	if err := columns.WriteTable(w, r.caption(format.Title(s.parameter()), s.Study), s.Rows, 1); err != nil {
		return err
	}
	return notes.write(w, 0)
}

// rateCell returns a rate of a row, as far as it was measured.
func rateCell(row Row, of rate) string {
	return format.Known(row.measured(), format.Rate(of(row.Point, row.Elapsed.Value)))
}

// checksCell returns "ok", or how many of a row's checks failed.
func checksCell(row Row) string {
	failed := len(row.failedChecks())
	switch {
	case len(row.Checks) == 0:
		return format.None
	case failed == 0:
		return "ok"
	}
	return fmt.Sprintf("%d failed", failed)
}
