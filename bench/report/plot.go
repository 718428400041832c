package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"vllmgo/bench/workload"
	"vllmgo/internal/format"
)

// WritePlot draws a study as a PNG: generated and total tokens a second against the swept parameter, with the
// medians' intervals as bars and each trial as a small cross. The axis is logarithmic when its values double.
// A point that
// failed a check is ringed in red. A point without figures is a tick marked so. A study without any figures is an error.
func (r *Results) WritePlot(w io.Writer, s StudyResult) error {
	rows := measured(s.Rows)
	if len(rows) == 0 {
		return fmt.Errorf("bench: %s has no measured row to plot", s.Study.Name)
	}
	p := newCurvePlot(fmt.Sprintf("%s: %s\n%s", format.Title(s.Study.Parameter), r.model(), r.setting()),
		fmt.Sprintf("%s (%s)", s.Study.Parameter, s.Study.Unit), "throughput (tokens a second)")
	position := xPosition(s.Rows)
	if err := addCurve(p, "generated tok/s", rows, position, workload.Point.GeneratedRate, blue, draw.CircleGlyph{}); err != nil {
		return err
	}
	if err := addCurve(p, "total tok/s (input and output)", rows, position, workload.Point.TotalRate, orange, draw.BoxGlyph{}); err != nil {
		return err
	}
	if err := addMarks(p, rows, position); err != nil {
		return err
	}
	scaleX(&p.X, s.Rows, position)
	p.Y.Min = 0
	p.Y.Max *= 1.25 // an empty strip above the data, for the legend
	p.Y.Tick.Marker = plot.TickerFunc(rateTicks)
	return writePNG(w, 11*vg.Centimeter, p.Draw)
}

// The colours of all plots.
var (
	blue   = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}
	orange = color.RGBA{R: 0xd6, G: 0x6a, B: 0x00, A: 0xff}
	red    = color.RGBA{R: 0xcc, A: 0xff}
)

// newCurvePlot is a plot with titles and a legend inside.
func newCurvePlot(title, x, y string) *plot.Plot {
	p := newPlot()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(8)
	p.Legend.Top = true
	p.Legend.Left = true
	p.Legend.XOffs = vg.Points(6)
	p.Legend.Padding = vg.Points(2)
	return p
}

// newPlot is a plot with the fonts and the grid of all plots.
func newPlot() *plot.Plot {
	p := plot.New()
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	p.Title.TextStyle.Font = font.From(sans, 11)
	p.Legend.TextStyle.Font = font.From(sans, 11)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = font.From(sans, 11)
		axis.Label.Padding = vg.Points(4)
		axis.Tick.Label.Font = font.From(sans, 10)
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{Y: 0xdd}, color.Gray{Y: 0xdd}
	p.Add(grid)
	return p
}

// writePNG writes a picture as wide as all of them, within a margin.
func writePNG(w io.Writer, height vg.Length, picture func(draw.Canvas)) error {
	canvas := vgimg.NewWith(vgimg.UseWH(18*vg.Centimeter, height), vgimg.UseDPI(144))
	margin := vg.Points(10)
	picture(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// writePanels writes plots in rows and columns under a heading and, when it has entries, a legend.
func writePanels(w io.Writer, heading string, legend legend, height vg.Length, panels [][]*plot.Plot) error {
	return writePNG(w, height, func(c draw.Canvas) {
		style := panels[0][0].Title.TextStyle
		style.YAlign = draw.YTop
		c.FillText(style, vg.Point{X: c.Center().X, Y: c.Max.Y}, heading)
		c = draw.Crop(c, 0, 0, 0, -style.Height(heading)-vg.Points(10))
		if height := legend.draw(c); height > 0 {
			c = draw.Crop(c, 0, 0, 0, -height-vg.Points(10))
		}
		tiles := draw.Tiles{Rows: len(panels), Cols: len(panels[0]), PadX: vg.Points(12), PadY: vg.Points(8)}
		for i, row := range plot.Align(panels, tiles, c) {
			for j, tile := range row {
				panels[i][j].Draw(tile)
			}
		}
	})
}

// legend is a legend in a row, with one entry for each name.
type legend struct {
	names   []string
	entries []plot.Legend
}

func (l *legend) add(name string, thumbnail plot.Thumbnailer) {
	if slices.Contains(l.names, name) {
		return
	}
	entry := plot.NewLegend()
	entry.TextStyle.Font = newPlot().Legend.TextStyle.Font
	entry.Top, entry.Left = true, true
	entry.Add(name, thumbnail)
	l.names, l.entries = append(l.names, name), append(l.entries, entry)
}

// draw draws the legend from the left at the top of a canvas and returns its height.
func (l legend) draw(c draw.Canvas) vg.Length {
	var height vg.Length
	for _, entry := range l.entries {
		entry.Draw(c)
		size := entry.Rectangle(c).Size()
		height = max(height, size.Y)
		c = draw.Crop(c, size.X+vg.Points(18), 0, 0, 0)
	}
	return height
}

// addCurve draws a rate: a line through the medians with their intervals, and a small cross for each trial.
func addCurve(p *plot.Plot, name string, rows []Row, position func(value int) float64, rate func(workload.Point, time.Duration) float64, c color.Color, shape draw.GlyphDrawer) error {
	medians := curve{XYs: make(plotter.XYs, len(rows)), YErrors: make(plotter.YErrors, len(rows))}
	var trials plotter.XYs
	for i, row := range rows {
		x, y := position(row.Value), rate(row.Point, row.Elapsed.Value)
		medians.XYs[i] = plotter.XY{X: x, Y: y}
		medians.YErrors[i].Low = rate(row.Point, row.Elapsed.High) - y
		medians.YErrors[i].High = rate(row.Point, row.Elapsed.Low) - y
		for _, t := range row.Trials {
			trials = append(trials, plotter.XY{X: x, Y: rate(row.Point, t.Elapsed)})
		}
	}
	line, points, err := plotter.NewLinePoints(medians)
	if err != nil {
		return fmt.Errorf("bench: drawing %s: %w", name, err)
	}
	line.Color = c
	line.Width = vg.Points(1.5)
	points.Color = c
	points.Shape = shape
	points.Radius = vg.Points(3)
	bars, err := plotter.NewYErrorBars(medians)
	if err != nil {
		return fmt.Errorf("bench: drawing the intervals of %s: %w", name, err)
	}
	bars.Color = c
	bars.Width = vg.Points(1)
	scatter, err := plotter.NewScatter(trials)
	if err != nil {
		return fmt.Errorf("bench: drawing the trials of %s: %w", name, err)
	}
	scatter.Color = c
	scatter.Shape = draw.CrossGlyph{}
	scatter.Radius = vg.Points(2)
	p.Add(line, points, bars, scatter)
	p.Legend.Add(name, line, points)
	return nil
}

// addMarks rings the points that failed a check.
func addMarks(p *plot.Plot, rows []Row, position func(value int) float64) error {
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
	rings, err := plotter.NewScatter(failed)
	if err != nil {
		return fmt.Errorf("bench: marking points: %w", err)
	}
	rings.Color = red
	rings.Shape = draw.RingGlyph{}
	rings.Radius = vg.Points(7)
	p.Add(rings)
	p.Legend.Add("failed a check", rings)
	return nil
}

// curve is points with the distances to the ends of their intervals.
type curve struct {
	plotter.XYs
	plotter.YErrors
}

// xPosition places the swept values along the axis: by their logarithm when each is twice the one before.
// The axis itself stays linear, since gonum's logarithmic one misplaces the axis label's box and so leaves
// room beside it.
func xPosition(rows []Row) func(value int) float64 {
	for i := 1; i < len(rows); i++ {
		if rows[i].Value != 2*rows[i-1].Value {
			return func(value int) float64 { return float64(value) }
		}
	}
	return func(value int) float64 { return math.Log2(float64(value)) }
}

// scaleX gives the axis a tick at every swept value and room on both sides.
func scaleX(axis *plot.Axis, rows []Row, position func(value int) float64) {
	var ticks plot.ConstantTicks
	for _, row := range rows {
		label := strings.ReplaceAll(row.Name(), ", ", "\n")
		if row.Status != Measured {
			label += "\n" + string(row.Status)
		}
		ticks = append(ticks, plot.Tick{Value: position(row.Value), Label: label})
	}
	axis.Tick.Marker = ticks
	first, last := ticks[0].Value, ticks[len(ticks)-1].Value
	room := max(0.04*(last-first), 0.1)
	axis.Min, axis.Max = first-room, last+room
}

// rateTicks are about five round values from 0 up.
func rateTicks(_, top float64) []plot.Tick {
	power := math.Pow(10, math.Floor(math.Log10(top/5)))
	step := power
	for _, factor := range []float64{2, 5, 10} {
		if top/step > 7 {
			step = factor * power
		}
	}
	var ticks []plot.Tick
	for i := 0; float64(i)*step <= top; i++ {
		value := float64(i) * step
		ticks = append(ticks, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'g', 6, 64)})
	}
	return ticks
}
