package report

import (
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"vllmgo/bench/journal"
	"vllmgo/internal/format"
)

// countedRows are the rows with counts of the scheduler's.
func countedRows(s StudyResult) []Row {
	return slices.DeleteFunc(slices.Clone(s.Rows), func(r Row) bool { return r.Latency == nil || len(r.Latency.Counters) == 0 })
}

// WriteSchedulerPlot draws as a PNG what the scheduler did over time, in the latency pass of median time of each of a study's points:
// on the left running and waiting requests, with max_num_seqs where it is reached and a red cross where requests were
// preempted; on the right the share of the KV cache in use. A study without such counts is an error.
func (r *Results) WriteSchedulerPlot(w io.Writer, s StudyResult) error {
	rows := countedRows(s)
	if len(rows) == 0 {
		return fmt.Errorf("bench: %s has no scheduler counts to plot", s.Study.Name)
	}
	var panels [][]*plot.Plot
	var legend legend
	mostKVUse := 0.0
	for _, row := range rows {
		mostKVUse = max(mostKVUse, row.Latency.Scheduler.MostKVUse)
		requests, cache := newPlot(), newPlot()
		requests.Title.Text, cache.Title.Text = row.Point.String()+": requests", "KV cache in use (%)"
		running, waiting, use, preempted := schedulerCurves(row.Latency.Counters)
		legend.add("running", addLine(requests, running, blue))
		legend.add("waiting", addLine(requests, waiting, orange))
		addLine(cache, use, blue)
		if most := float64(row.Latency.Scheduler.MaxNumSeqs); row.Latency.Scheduler.MostRunning >= int(most) {
			limit := plotter.XYs{{X: 0, Y: most}, {X: running[len(running)-1].X, Y: most}}
			line := addLine(requests, limit, color.Gray{Y: 0x66})
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
			legend.add("max_num_seqs", line)
		}
		if preempted != nil {
			crosses, err := plotter.NewScatter(preempted)
			if err != nil {
				return fmt.Errorf("bench: marking preemptions: %w", err)
			}
			crosses.Color, crosses.Shape, crosses.Radius = red, draw.CrossGlyph{}, vg.Points(4)
			requests.Add(crosses)
			legend.add("preempted", crosses)
		}
		panels = append(panels, []*plot.Plot{requests, cache})
	}
	for _, row := range panels {
		for _, p := range row {
			p.X.Min, p.Y.Min = 0, 0
			p.Y.Tick.Marker = plot.TickerFunc(rateTicks)
		}
		row[0].Y.Max *= 1.1
		row[1].Y.Max = 110 * max(mostKVUse, 1e-3) // the same for all points
	}
	for _, p := range panels[len(panels)-1] {
		p.X.Label.Text = "time since the batch was handed over (s)"
	}
	heading := fmt.Sprintf("%s, what the scheduler did, as of the last step that had ended\n%s, %s", format.Title(s.Study.Parameter), r.model(), r.setting())
	height := vg.Length(len(rows))*3.8*vg.Centimeter + 3*vg.Centimeter
	return writePanels(w, heading, legend, height, panels)
}

// schedulerCurves are the curves of running and waiting requests and of the KV cache's use in %, and the places where
// requests were preempted.
func schedulerCurves(counters []journal.Counters) (running, waiting, use, preempted plotter.XYs) {
	for i, c := range counters {
		x := c.At.Seconds()
		running = append(running, plotter.XY{X: x, Y: float64(c.Running)})
		waiting = append(waiting, plotter.XY{X: x, Y: float64(c.Waiting)})
		use = append(use, plotter.XY{X: x, Y: 100 * c.KVUse})
		if i > 0 && c.Preemptions > counters[i-1].Preemptions {
			preempted = append(preempted, running[i])
		}
	}
	return running, waiting, use, preempted
}

// addLine adds a line that holds each value until the next.
func addLine(p *plot.Plot, xys plotter.XYs, c color.Color) *plotter.Line {
	line, _ := plotter.NewLine(xys) // which refuses values that are no numbers, and none at all
	line.Color, line.Width, line.StepStyle = c, vg.Points(1.5), plotter.PostStep
	p.Add(line)
	return line
}
