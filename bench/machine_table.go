package bench

import (
	"fmt"
	"io"
	"slices"
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
			fmt.Sprintf("%.1f %%", 100*row.median(func(t Trial) float64 { return t.Outside.Seconds() / (t.Elapsed + t.Outside).Seconds() })),
			fmt.Sprintf("%.2f", row.median(func(t Trial) float64 { return t.Usage.Cores })),
			fmt.Sprintf("%.2f", row.median(func(t Trial) float64 { return t.Usage.OtherCores })),
			formatBytes(int64(row.median(func(t Trial) float64 { return float64(t.Usage.HostMemory) }))),
		}
		if light {
			line = append(line,
				formatRate(row.generatedPerSecond(max(row.Light.Memory, row.Light.Arithmetic))),
				row.Light.bound(), fmt.Sprintf("%.0f %%", 100*row.Light.Share))
		}
		if gpus {
			line = append(line, gpuCells(row)...)
		}
		lines = append(lines, line)
	}
	return RenderTable(w, title(s.Study.Parameter)+": what the machine did (medians)", header, lines, 1)
}

// gpuCells are the columns for the GPUs: sums of memory and energy; use and lowest clock of the GPU with the most.
func gpuCells(row Row) []string {
	over := func(f func(GPUUsage) float64, pick func(a, b float64) float64) float64 {
		return row.median(func(t Trial) float64 {
			value := f(t.Usage.GPUs[0])
			for _, g := range t.Usage.GPUs[1:] {
				value = pick(value, f(g))
			}
			return value
		})
	}
	sum := func(a, b float64) float64 { return a + b }
	watts := row.median(func(t Trial) float64 { return t.Usage.joules() / (t.Elapsed + t.Outside).Seconds() })
	return []string{
		fmt.Sprintf("%.0f %%", 100*over(func(g GPUUsage) float64 { return g.Busy }, func(a, b float64) float64 { return max(a, b) })),
		formatBytes(int64(over(func(g GPUUsage) float64 { return float64(g.Memory) }, sum))),
		fmt.Sprintf("%.0f", over(func(g GPUUsage) float64 { return float64(g.LowClock) }, func(a, b float64) float64 { return max(a, b) })),
		fmt.Sprintf("%.0f", watts),
		fmt.Sprintf("%.3g", row.JoulesPerToken),
	}
}

// median is the median of a figure of the row's trials.
func (r Row) median(figure func(Trial) float64) float64 {
	var values []float64
	for _, t := range r.Trials {
		values = append(values, figure(t))
	}
	slices.Sort(values)
	return quantile(values, 0.5)
}

// gpuMemory is the memory in use on the fullest of the engine's GPUs, the median over the trials, in bytes; 0 without NVML.
func (r Row) gpuMemory() int64 {
	return int64(r.median(func(t Trial) float64 {
		var most int64
		for _, g := range t.Usage.GPUs {
			most = max(most, g.Memory)
		}
		return float64(most)
	}))
}
