package report

import (
	"fmt"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"vllmgo/bench/internal/format"
)

// WriteLatencyPlot writes a plot of a study's latencies as PNG: how TTFT, ITL, TPOT and E2E are
// distributed at each point. Above the name of a point is a histogram, as high as its fullest bin,
// over a logarithmic time axis, with a red bar at the median. There are no plots of ITL and TPOT
// when all requests have a single token. A study without latencies is an error.
func (r *Results) WriteLatencyPlot(w io.Writer, s StudyResult) error {
	rows := timed(s.Rows)
	if len(rows) == 0 {
		return fmt.Errorf("bench: %s has no latencies to plot", s.Study.Name)
	}
	panels := make([][]*plot.Plot, 2)
	for i, m := range latencyMeasures(rows) {
		p, err := latencyPanel(rows, m)
		if err != nil {
			return err
		}
		panels[i%2] = append(panels[i%2], p)
	}
	panels[0][0].Y.Label.Text, panels[1][0].Y.Label.Text = s.parameter(), s.parameter()
	heading := r.plotTitle(format.Title(s.parameter()) + ", how latencies are distributed")
	height := 2*(vg.Length(len(rows))*1.1+2.6)*vg.Centimeter + 2.5*vg.Centimeter
	return writePanels(w, heading, legend{}, height, panels)
}

// latencyMeasure is a kind of latency.
type latencyMeasure struct {
	name string
	of   func(*Latency) Percentiles
}

// latencyMeasures returns the kinds of latency to plot, column by column. Those of the second
// column need requests of two tokens.
func latencyMeasures(rows []Row) []latencyMeasure {
	measures := []latencyMeasure{
		{"TTFT, of requests", func(l *Latency) Percentiles { return l.TTFT }},
		{"E2E, of requests", func(l *Latency) Percentiles { return l.E2E }},
		{"ITL, of gaps between tokens", func(l *Latency) Percentiles { return l.ITL }},
		{"TPOT, of requests", func(l *Latency) Percentiles { return l.TPOT }},
	}
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Latency.ITL.exist() || r.Latency.TPOT.exist() }) {
		return measures[:2]
	}
	return measures
}

// latencyPanel returns the plot of one kind of latency: a histogram for each row, one above the
// other.
func latencyPanel(rows []Row, m latencyMeasure) (*plot.Plot, error) {
	p := newPlot()
	p.Title.Text, p.X.Label.Text = m.name, "ms"
	var names plot.ConstantTicks
	for i, row := range rows {
		names = append(names, plot.Tick{Value: float64(i), Label: tickLabel(row)})
		if err := addHistogram(p, m.of(row.Latency), float64(i)); err != nil {
			return nil, fmt.Errorf("bench: drawing %s of %s: %w", m.name, row, err)
		}
	}
	p.X.Tick.Marker = plot.TickerFunc(decadeTicks)
	p.Y.Tick.Marker, p.Y.Min, p.Y.Max = names, -0.1, float64(len(rows))
	return p, nil
}

// histogramHeight is the height of a histogram's fullest bin, where the next histogram begins at 1.
const histogramHeight = 0.85

// addHistogram draws the histogram of times above a base, and their median.
func addHistogram(p *plot.Plot, times Percentiles, base float64) error {
	if !times.exist() {
		return nil
	}
	most := 0
	for _, bin := range times.Histogram {
		most = max(most, bin.Count)
	}
	var outline plotter.XYs
	for _, bin := range times.Histogram {
		left := logMilliseconds(bin.Low)
		right, top := left+0.1, base+histogramHeight*float64(bin.Count)/float64(most)
		outline = append(outline, plotter.XY{X: left, Y: base}, plotter.XY{X: left, Y: top},
			plotter.XY{X: right, Y: top}, plotter.XY{X: right, Y: base})
	}
	shape, err := plotter.NewPolygon(outline)
	if err != nil {
		return err
	}
	shape.Color, shape.LineStyle.Color, shape.LineStyle.Width = lightBlue, blue, vg.Points(0.75)
	middle := logMilliseconds(times.P50)
	median, err := plotter.NewLine(plotter.XYs{{X: middle, Y: base}, {X: middle, Y: base + histogramHeight}})
	if err != nil {
		return err
	}
	median.Color, median.Width = red, vg.Points(1)
	p.Add(shape, median)
	return nil
}
