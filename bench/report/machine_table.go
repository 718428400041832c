package report

import (
	"fmt"
	"io"
	"slices"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
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
			return t.Outside.Seconds() / (t.Elapsed.Seconds() + t.Outside.Seconds())
		}), 1)
	})
	addUsageColumns(&columns, r.Header.Machine.Cores)
	if slices.ContainsFunc(rows, func(row Row) bool { return row.Light.known() }) {
		addLightColumns(&columns)
	}
	if slices.ContainsFunc(rows, Row.onGPUs) {
		addGPUColumns(&columns)
	}
	return columns.WriteTable(w, format.Title(s.parameter())+": what the machine did (medians)", rows, 1)
}

// knownTrials returns the median of a figure over the trials of which it is known as text, and how
// many these are when there are others.
func (r Row) knownTrials(e stat.Estimate[float64], text func(float64) string) string {
	switch e.N {
	case 0:
		return format.None
	case len(r.Trials):
		return text(e.Value)
	}
	return fmt.Sprintf("%s (%d of %s)", text(e.Value), e.N, format.Count(len(r.Trials), "trial"))
}

// addUsageColumns adds the columns of cores and host memory. The machine has so many cores.
func addUsageColumns(columns *format.Columns[Row], cores int) {
	add := func(header string, text func(float64) string, of func(journal.Usage) (float64, bool)) {
		columns.Add(header, func(row Row) string {
			each := row.each(func(t journal.Trial) (float64, bool) { return of(t.Usage) })
			return row.knownTrials(stat.Median(each), text)
		})
	}
	// Two digits after the point are what the counters of CPU time resolve.
	number := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	add(
		"cores busy",
		number,
		func(u journal.Usage) (float64, bool) { return u.Cores, u.Cores > 0 && !impossible(u, cores) },
	)
	add("by others", number, func(u journal.Usage) (float64, bool) {
		return u.OtherCores, !u.Short && !impossible(u, cores)
	})
	add("host memory", func(v float64) string { return format.Bytes(int64(v)) },
		func(u journal.Usage) (float64, bool) { return float64(u.HostMemory), u.HostMemory > 0 })
}

// addLightColumns adds the columns of the speed of light.
func addLightColumns(columns *format.Columns[Row]) {
	add := func(header string, cell func(Row) string) {
		columns.Add(header, func(row Row) string {
			if !row.Light.known() {
				return format.None
			}
			return cell(row)
		})
	}
	add("speed of light tok/s", func(row Row) string { return format.Rate(row.GeneratedRate(row.Light.time())) })
	add("bound by", func(row Row) string { return row.Light.bound() })
	add("share reached", func(row Row) string { return format.Percent(row.Light.Share, 0) })
}

// addGPUColumns adds the columns of the GPUs: the sums of memory and energy, and the use and the
// lowest clock of the GPU with the most of it.
func addGPUColumns(columns *format.Columns[Row]) {
	add := func(header string, text func(float64) string, of func(Row) stat.Estimate[float64]) {
		columns.Add(header, func(row Row) string { return row.knownTrials(of(row), text) })
	}
	whole := func(v float64) string { return format.Fixed(v, 0) }
	add("GPU busy", func(v float64) string { return format.Percent(v, 0) }, func(row Row) stat.Estimate[float64] {
		return row.medianGPUs(greater, func(g journal.GPUUsage) (float64, bool) { return g.Busy, true })
	})
	add("GPU memory", func(v float64) string { return format.Bytes(int64(v)) }, func(row Row) stat.Estimate[float64] {
		return row.medianGPUs(sum, gpuMemory)
	})
	add("SM MHz", whole, func(row Row) stat.Estimate[float64] {
		return row.medianGPUs(greater, func(g journal.GPUUsage) (float64, bool) {
			return float64(g.LowClock), g.LowClock > 0
		})
	})
	add("W", whole, func(row Row) stat.Estimate[float64] {
		return stat.Median(row.each(func(t journal.Trial) (float64, bool) {
			joules, known := t.Usage.Joules()
			return joules / (t.Elapsed.Seconds() + t.Outside.Seconds()), known
		}))
	})
	add("J/token", func(v float64) string { return fmt.Sprintf("%.3g", v) }, Row.energy)
}

// onGPUs reports whether a trial has figures of GPUs.
func (r Row) onGPUs() bool {
	return slices.ContainsFunc(r.Trials, func(t journal.Trial) bool { return len(t.Usage.GPUs) > 0 })
}

// medianGPUs returns the median of a figure of all GPUs together, over the trials in which it is
// known of each.
func (r Row) medianGPUs(
	together func(a, b float64) float64, figure func(journal.GPUUsage) (value float64, known bool),
) stat.Estimate[float64] {
	return stat.Median(r.each(func(t journal.Trial) (value float64, known bool) {
		known = len(t.Usage.GPUs) > 0
		for _, g := range t.Usage.GPUs {
			v, ok := figure(g)
			value, known = together(value, v), known && ok
		}
		return value, known
	}))
}

// energy returns the median energy of the GPUs for each generated token, in joules, over the trials
// of which it is known.
func (r Row) energy() stat.Estimate[float64] {
	return stat.Median(r.each(func(t journal.Trial) (float64, bool) {
		joules, known := t.Usage.Joules()
		return joules / float64(t.Ledger.OutputTokens), known && t.Ledger.OutputTokens > 0
	}))
}

// gpuMemory is a figure for medianGPUs.
func gpuMemory(g journal.GPUUsage) (float64, bool) { return float64(g.Memory), g.Memory > 0 }

func sum(a, b float64) float64     { return a + b }
func greater(a, b float64) float64 { return max(a, b) }
