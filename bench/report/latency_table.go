package report

import (
	"fmt"
	"io"
	"strconv"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
)

// writeLatencyTable writes the latencies of a study as a table; nothing when there are none.
func (r *Results) writeLatencyTable(w io.Writer, s StudyResult) error {
	rows := timed(s.Rows)
	if len(rows) == 0 {
		return nil
	}
	var columns format.Columns[Row]
	columns.Add("point", func(row Row) string { return row.Point.String() })
	columns.Add("requests", func(row Row) string { return strconv.Itoa(row.Latency.Requests) })
	columns.Add("queue", func(row Row) string { return percentilesCell(row.Latency.Queue) })
	columns.Add("TTFT", func(row Row) string { return percentilesCell(row.Latency.TTFT) })
	columns.Add("ITL", func(row Row) string { return percentilesCell(row.Latency.ITL) })
	columns.Add("TPOT", func(row Row) string { return percentilesCell(row.Latency.TPOT) })
	columns.Add("E2E", func(row Row) string { return percentilesCell(row.Latency.E2E) })
	if r.Header.Goodput != (journal.Goodput{}) {
		columns.Add("good requests/s", func(row Row) string {
			return fmt.Sprintf("%s (%s)", format.Rate(row.Latency.GoodPerSecond), format.Percent(row.Latency.Good, 0))
		})
	}
	columns.Add("cost", func(row Row) string { return format.Change(row.Latency.Slowdown, 1) })
	caption := format.Title(s.parameter()) + ": latencies in ms, p50/p90/p95/p99, and what measuring them cost"
	return columns.WriteTable(w, caption, rows, 1)
}

// percentilesCell returns percentiles in milliseconds, as far as there are times.
func percentilesCell(p Percentiles) string {
	if !p.exist() {
		return format.None
	}
	return fmt.Sprintf("%s/%s/%s/%s", format.Milliseconds(p.P50), format.Milliseconds(p.P90),
		format.Milliseconds(p.P95), format.Milliseconds(p.P99))
}
