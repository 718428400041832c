package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/workload"
)

// WritePlot writes a plot of a study as PNG: generated tokens a second against the swept parameter,
// with the medians' intervals as bars and a small cross for each trial. A grid has a line for each
// value of the second axis. All tokens a second are another line, unless they are the same multiple
// of the generated ones at each point. The axis is logarithmic when the values double or are
// numbers of requests. A red ring marks a point that failed a check, and a tick says so where a
// point has no figures. A study without any figures is an error.
func (r *Results) WritePlot(w io.Writer, s StudyResult) error {
	if len(measured(s.Rows)) == 0 {
		return fmt.Errorf("bench: %s has no measured row to plot", s.Study.Name)
	}
	all := lines(s.Rows)
	x := fmt.Sprintf("%s (%s)", s.Study.Parameter, s.Study.Unit)
	if c := all[0].rows[0].Coordinates; all[0].name != "" {
		x = c[0].Axis
	}
	p := newCurvePlot(r.plotTitle(format.Title(s.parameter())), x, "throughput (tokens a second)")
	var united []Row
	for _, l := range all {
		united = append(united, l.rows...)
	}
	position := valuePosition(united)
	curves := rateCurves(all)
	for _, c := range curves {
		if err := c.draw(p, position); err != nil {
			return err
		}
	}
	if err := addRings(p, curves, position); err != nil {
		return err
	}
	scaleX(&p.X, united, position, len(all) == 1)
	startAtZero(p, legendRoom)
	return writePNG(w, curvePlotHeight, p.Draw)
}

// rateCurve is a rate of the rows of a line, and how it is drawn.
type rateCurve struct {
	name  string
	of    rate
	rows  []Row // those that were measured
	color color.Color
	shape draw.GlyphDrawer
}

// rateCurves returns the curves of a study's lines.
func rateCurves(all []line) []rateCurve {
	if len(all) == 1 {
		rows := measured(all[0].rows)
		curves := []rateCurve{{"generated tok/s", workload.Point.GeneratedRate, rows, blue, draw.CircleGlyph{}}}
		if !proportional(rows) {
			curves = append(curves,
				rateCurve{"total tok/s (input and output)", workload.Point.TotalRate, rows, orange, draw.BoxGlyph{}})
		}
		return curves
	}
	var curves []rateCurve
	for i, l := range all {
		if rows := measured(l.rows); len(rows) > 0 {
			name := "generated tok/s, " + l.name
			curves = append(curves, rateCurve{name, generated, rows, plotutil.Color(i), plotutil.Shape(i)})
		}
	}
	return curves
}

// proportional reports whether all tokens are the same multiple of the generated ones in each row,
// so that a curve of them says nothing new.
func proportional(rows []Row) bool {
	first := rows[0]
	for _, row := range rows {
		if row.InputTokens()*first.OutputTokens() != first.InputTokens()*row.OutputTokens() {
			return false
		}
	}
	return true
}

// draw adds the curve and its trials to a plot.
func (c rateCurve) draw(p *plot.Plot, position func(value int) float64) error {
	var medians curve
	var trials plotter.XYs
	for _, row := range c.rows {
		x, e := position(row.Value), row.estimate(c.of)
		medians.add(x, e.Value, e.Low, e.High)
		for _, t := range row.Trials {
			trials = append(trials, plotter.XY{X: x, Y: c.of(row.Point, t.Elapsed)})
		}
	}
	if err := addCurve(p, c.name, medians, c.color, c.shape); err != nil {
		return err
	}
	if _, err := addMarks(p, trials, c.color, draw.CrossGlyph{}, vg.Points(2)); err != nil {
		return fmt.Errorf("bench: drawing the trials of %s: %w", c.name, err)
	}
	return nil
}

// addRings draws a ring around the points that failed a check.
func addRings(p *plot.Plot, curves []rateCurve, position func(value int) float64) error {
	var failed plotter.XYs
	for _, c := range curves {
		for _, row := range c.rows {
			if len(row.failedChecks()) > 0 {
				failed = append(failed, plotter.XY{X: position(row.Value), Y: c.of(row.Point, row.Elapsed.Value)})
			}
		}
	}
	if failed == nil {
		return nil
	}
	rings, err := addMarks(p, failed, red, draw.RingGlyph{}, vg.Points(7))
	if err != nil {
		return fmt.Errorf("bench: marking points: %w", err)
	}
	p.Legend.Add("failed a check", rings)
	return nil
}

// scaleX gives the axis a tick at every swept value, and room on both sides. With status, a tick
// says so where a point has no figures.
func scaleX(axis *plot.Axis, rows []Row, position func(value int) float64, status bool) {
	var ticks plot.ConstantTicks
	first, last := math.Inf(1), math.Inf(-1)
	for _, row := range rows {
		label := tickLabel(row)
		if status && !row.measured() {
			label += "\n" + string(row.Status)
		}
		tick := plot.Tick{Value: position(row.Value), Label: label}
		if !slices.Contains(ticks, tick) { // which several lines have
			ticks = append(ticks, tick)
		}
		first, last = min(first, tick.Value), max(last, tick.Value)
	}
	axis.Tick.Marker = ticks
	room := max(0.04*(last-first), 0.1)
	axis.Min, axis.Max = first-room, last+room
}

// tickLabel returns the name of a point with each coordinate on its own line.
func tickLabel(row Row) string { return strings.ReplaceAll(row.Name(), ", ", "\n") }
