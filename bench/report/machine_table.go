package report

import (
	"fmt"
	"io"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
)

// writeMachineTable writes a table of what limited a study's points and what the machine did, in
// medians of the trials.
func (r *Results) writeMachineTable(w io.Writer, s StudyResult) error {
	rows := measured(s.Rows)
	if len(rows) == 0 {
		return nil
	}
	var columns format.Columns[Row]
	columns.Add("point", func(row Row) string { return row.Point.String() })
	columns.Add("outside engine", func(row Row) string {
		return format.Percent(row.median(func(t journal.Trial) float64 {
			return t.Outside.Seconds() / (t.Elapsed + t.Outside).Seconds()
		}), 1)
	})
	addUsageColumns(&columns)
	if rows[0].Light != (Light{}) {
		addLightColumns(&columns)
	}
	if len(rows[0].Trials[0].Usage.GPUs) > 0 {
		addGPUColumns(&columns)
	}
	return columns.WriteTable(w, format.Title(s.Study.Parameter)+": what the machine did (medians)", rows, 1)
}

// addUsageColumns adds the columns of cores and host memory.
func addUsageColumns(columns *format.Columns[Row]) {
	median := func(row Row, of func(journal.Usage) float64) float64 {
		return row.median(func(t journal.Trial) float64 { return of(t.Usage) })
	}
	columns.Add("cores busy", func(row Row) string {
		return fmt.Sprintf("%.2f", median(row, func(u journal.Usage) float64 { return u.Cores }))
	})
	columns.Add("by others", func(row Row) string {
		return fmt.Sprintf("%.2f", median(row, func(u journal.Usage) float64 { return u.OtherCores }))
	})
	columns.Add("host memory", func(row Row) string {
		return format.Bytes(int64(median(row, func(u journal.Usage) float64 { return float64(u.HostMemory) })))
	})
}

// addLightColumns adds the columns of the speed of light.
func addLightColumns(columns *format.Columns[Row]) {
	columns.Add("speed of light tok/s", func(row Row) string { return format.Rate(row.GeneratedRate(row.Light.time())) })
	columns.Add("bound by", func(row Row) string { return row.Light.bound() })
	columns.Add("share reached", func(row Row) string { return format.Percent(row.Light.Share, 0) })
}

// addGPUColumns adds the columns of the GPUs: the sums of memory and energy, and the use and the
// lowest clock of the GPU with the most of it.
func addGPUColumns(columns *format.Columns[Row]) {
	columns.Add("GPU busy", func(row Row) string {
		return format.Percent(row.medianGPUs(greater, func(g journal.GPUUsage) float64 { return g.Busy }), 0)
	})
	columns.Add("GPU memory", func(row Row) string {
		return format.Bytes(int64(row.medianGPUs(sum, func(g journal.GPUUsage) float64 { return float64(g.Memory) })))
	})
	columns.Add("SM MHz", func(row Row) string {
		return fmt.Sprintf("%.0f", row.medianGPUs(greater, func(g journal.GPUUsage) float64 { return float64(g.LowClock) }))
	})
	columns.Add("W", func(row Row) string {
		return fmt.Sprintf("%.0f", row.median(func(t journal.Trial) float64 {
			return t.Usage.Joules() / (t.Elapsed + t.Outside).Seconds()
		}))
	})
	columns.Add("J/token", func(row Row) string { return fmt.Sprintf("%.3g", row.JoulesPerToken) })
}

// medianGPUs returns the median over the trials of a figure of all GPUs together. A trial whose
// GPUs were not seen counts as 0.
func (r Row) medianGPUs(together func(a, b float64) float64, figure func(journal.GPUUsage) float64) float64 {
	return r.median(func(t journal.Trial) float64 {
		value := 0.0
		for _, g := range t.Usage.GPUs {
			value = together(value, figure(g))
		}
		return value
	})
}

func sum(a, b float64) float64     { return a + b }
func greater(a, b float64) float64 { return max(a, b) }
