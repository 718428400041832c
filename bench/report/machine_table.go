package report

import (
	"fmt"
	"io"

	"vllmgo/bench/journal"
	"vllmgo/internal/format"
)

// writeMachineTable prints what limited a study's points and what the machine did, in medians over their trials.
func (r *Results) writeMachineTable(w io.Writer, s StudyResult) error {
	rows := measured(s.Rows)
	if len(rows) == 0 {
		return nil
	}
	header := []string{"point", "outside engine", "cores busy", "by others", "host memory"}
	light, gpus := rows[0].Light != Light{}, len(rows[0].Trials[0].Usage.GPUs) > 0
	if light {
		header = append(header, "speed of light tok/s", "bound by", "share reached")
	}
	if gpus {
		header = append(header, "GPU busy", "GPU memory", "SM MHz", "W", "J/token")
	}
	var lines [][]string
	for _, row := range rows {
		line := []string{
			row.Point.String(),
			fmt.Sprintf("%.1f %%", 100*row.median(func(t journal.Trial) float64 { return t.Outside.Seconds() / (t.Elapsed + t.Outside).Seconds() })),
			fmt.Sprintf("%.2f", row.median(func(t journal.Trial) float64 { return t.Usage.Cores })),
			fmt.Sprintf("%.2f", row.median(func(t journal.Trial) float64 { return t.Usage.OtherCores })),
			format.Bytes(int64(row.median(func(t journal.Trial) float64 { return float64(t.Usage.HostMemory) }))),
		}
		if light {
			line = append(line,
				format.Rate(row.GeneratedRate(max(row.Light.Memory, row.Light.Arithmetic))),
				row.Light.bound(), fmt.Sprintf("%.0f %%", 100*row.Light.Share))
		}
		if gpus {
			line = append(line, gpuCells(row)...)
		}
		lines = append(lines, line)
	}
	return format.Table(w, format.Title(s.Study.Parameter)+": what the machine did (medians)", header, lines, 1)
}

// gpuCells are the columns for the GPUs: sums of memory and energy; use and lowest clock of the GPU with the most.
func gpuCells(row Row) []string {
	over := func(f func(journal.GPUUsage) float64, pick func(a, b float64) float64) float64 {
		return row.median(func(t journal.Trial) float64 {
			value := f(t.Usage.GPUs[0])
			for _, g := range t.Usage.GPUs[1:] {
				value = pick(value, f(g))
			}
			return value
		})
	}
	sum := func(a, b float64) float64 { return a + b }
	watts := row.median(func(t journal.Trial) float64 { return t.Usage.Joules() / (t.Elapsed + t.Outside).Seconds() })
	return []string{
		fmt.Sprintf("%.0f %%", 100*over(func(g journal.GPUUsage) float64 { return g.Busy }, func(a, b float64) float64 { return max(a, b) })),
		format.Bytes(int64(over(func(g journal.GPUUsage) float64 { return float64(g.Memory) }, sum))),
		fmt.Sprintf("%.0f", over(func(g journal.GPUUsage) float64 { return float64(g.LowClock) }, func(a, b float64) float64 { return max(a, b) })),
		fmt.Sprintf("%.0f", watts),
		fmt.Sprintf("%.3g", row.JoulesPerToken),
	}
}
