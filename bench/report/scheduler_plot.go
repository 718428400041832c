package report

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"vllmgo/bench/internal/format"
)

// WriteSchedulerPlot writes a plot as PNG of what the scheduler did over time, in the latency pass
// of median time of each of a study's points. On the left are running and waiting requests, with
// max_num_seqs where it is reached and a red cross where requests were preempted. On the right is
// the share of the KV cache in use. A study without such counts is an error.
func (r *Results) WriteSchedulerPlot(w io.Writer, s StudyResult) error {
	rows := watched(s.Rows)
	if len(rows) == 0 {
		return fmt.Errorf("bench: %s has no scheduler counts to plot", s.Study.Name)
	}
	var panels [][]*plot.Plot
	var legend legend
	mostKVUse := 0.0
	for _, row := range rows {
		mostKVUse = max(mostKVUse, row.Latency.Scheduler.MostKVUse)
		requests, err := requestsPanel(row, &legend)
		if err != nil {
			return err
		}
		panels = append(panels, []*plot.Plot{requests, cachePanel(row)})
	}
	for _, row := range panels {
		row[1].Y.Max = 110 * max(mostKVUse, 1e-3) // the same for all points
	}
	for _, p := range panels[len(panels)-1] {
		p.X.Label.Text = "time since the batch was handed over (s)"
	}
	heading := r.plotTitle(format.Title(s.parameter()) + ", what the scheduler did, as of the last step that had ended")
	height := vg.Length(len(rows))*3.8*vg.Centimeter + 3.5*vg.Centimeter
	return writePanels(w, heading, legend, height, panels)
}

// requestsPanel returns the plot of a row's requests, and adds to the legend what it shows.
func requestsPanel(row Row, legend *legend) (*plot.Plot, error) {
	p := newPlot()
	p.Title.Text = row.Point.String() + ": requests"
	var running, waiting, preempted plotter.XYs
	before := row.Latency.Counters[0]
	for _, c := range row.Latency.Counters {
		x := c.At.Seconds()
		running = append(running, plotter.XY{X: x, Y: float64(c.Running)})
		waiting = append(waiting, plotter.XY{X: x, Y: float64(c.Waiting)})
		if c.Preemptions > before.Preemptions {
			preempted = append(preempted, plotter.XY{X: x, Y: float64(c.Running)})
		}
		before = c
	}
	legend.add("running", addSteps(p, running, blue))
	legend.add("waiting", addSteps(p, waiting, orange))
	if s := row.Latency.Scheduler; s.MostRunning >= s.MaxNumSeqs {
		most := float64(s.MaxNumSeqs)
		line := addSteps(p, plotter.XYs{{X: 0, Y: most}, {X: before.At.Seconds(), Y: most}}, grey)
		line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		legend.add("max_num_seqs", line)
	}
	if preempted != nil {
		crosses, err := addMarks(p, preempted, red, draw.CrossGlyph{}, vg.Points(4))
		if err != nil {
			return nil, fmt.Errorf("bench: marking preemptions: %w", err)
		}
		legend.add("preempted", crosses)
	}
	p.X.Min = 0
	startAtZero(p, 1.1)
	return p, nil
}

// cachePanel returns the plot of the KV cache's use in %.
func cachePanel(row Row) *plot.Plot {
	p := newPlot()
	p.Title.Text = "KV cache in use (%)"
	var use plotter.XYs
	for _, c := range row.Latency.Counters {
		use = append(use, plotter.XY{X: c.At.Seconds(), Y: 100 * c.KVUse})
	}
	addSteps(p, use, blue)
	p.X.Min = 0
	startAtZero(p, 1)
	return p
}

// addSteps draws a line that holds each value until the next.
func addSteps(p *plot.Plot, xys plotter.XYs, c color.Color) *plotter.Line {
	line, _ := plotter.NewLine(xys) // which fails on NaN and on no values
	line.Color, line.Width, line.StepStyle = c, vg.Points(1.5), plotter.PostStep
	p.Add(line)
	return line
}
