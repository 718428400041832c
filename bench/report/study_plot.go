package report

import (
	"fmt"
	"image/color"
	"io"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/workload"
)

// WritePlot writes a plot of a study as PNG: generated tokens and all tokens a second against the
// swept parameter, with the medians' intervals as bars and a small cross for each trial. The axis
// is logarithmic when the values double. A red ring marks a point that failed a check, and a tick
// says so where a point has no figures. A study without any figures is an error.
func (r *Results) WritePlot(w io.Writer, s StudyResult) error {
	rows := measured(s.Rows)
	if len(rows) == 0 {
		return fmt.Errorf("bench: %s has no measured row to plot", s.Study.Name)
	}
	p := newCurvePlot(fmt.Sprintf("%s: %s\n%s", format.Title(s.Study.Parameter), r.model(), r.setting()),
		fmt.Sprintf("%s (%s)", s.Study.Parameter, s.Study.Unit), "throughput (tokens a second)")
	position := valuePosition(s.Rows)
	for _, c := range []struct {
		name  string
		of    rate
		color color.Color
		shape draw.GlyphDrawer
	}{
		{"generated tok/s", workload.Point.GeneratedRate, blue, draw.CircleGlyph{}},
		{"total tok/s (input and output)", workload.Point.TotalRate, orange, draw.BoxGlyph{}},
	} {
		medians, trials := rateCurve(rows, position, c.of)
		if err := addCurve(p, c.name, medians, c.color, c.shape); err != nil {
			return err
		}
		if _, err := addMarks(p, trials, c.color, draw.CrossGlyph{}, vg.Points(2)); err != nil {
			return fmt.Errorf("bench: drawing the trials of %s: %w", c.name, err)
		}
	}
	if err := addRings(p, rows, position); err != nil {
		return err
	}
	scaleX(&p.X, s.Rows, position)
	startAtZero(p, legendRoom)
	return writePNG(w, curvePlotHeight, p.Draw)
}

// rateCurve returns the medians of a rate, and the rate of each trial.
func rateCurve(rows []Row, position func(value int) float64, of rate) (medians curve, trials plotter.XYs) {
	for _, row := range rows {
		x, e := position(row.Value), row.estimate(of)
		medians.add(x, e.Value, e.Low, e.High)
		for _, t := range row.Trials {
			trials = append(trials, plotter.XY{X: x, Y: of(row.Point, t.Elapsed)})
		}
	}
	return medians, trials
}

// addRings draws a ring around the points that failed a check.
func addRings(p *plot.Plot, rows []Row, position func(value int) float64) error {
	var failed plotter.XYs
	for _, row := range rows {
		if len(row.failedChecks()) > 0 {
			failed = append(failed,
				plotter.XY{X: position(row.Value), Y: row.GeneratedPerSecond},
				plotter.XY{X: position(row.Value), Y: row.TotalPerSecond})
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

// scaleX gives the axis a tick at every swept value, and room on both sides.
func scaleX(axis *plot.Axis, rows []Row, position func(value int) float64) {
	var ticks plot.ConstantTicks
	for _, row := range rows {
		label := tickLabel(row)
		if !row.measured() {
			label += "\n" + string(row.Status)
		}
		ticks = append(ticks, plot.Tick{Value: position(row.Value), Label: label})
	}
	axis.Tick.Marker = ticks
	first, last := ticks[0].Value, ticks[len(ticks)-1].Value
	room := max(0.04*(last-first), 0.1)
	axis.Min, axis.Max = first-room, last+room
}

// tickLabel returns the name of a point with each coordinate on its own line.
func tickLabel(row Row) string { return strings.ReplaceAll(row.Name(), ", ", "\n") }
