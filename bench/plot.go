package bench

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// WritePlot draws a study as a PNG: generated and total tokens a second against the swept parameter, whose
// axis is logarithmic when its values double. A point without figures is a tick marked so. A study without
// any figures is an error.
func (r *Results) WritePlot(w io.Writer, s StudyResult) error {
	rows := measured(s.Rows)
	if len(rows) == 0 {
		return fmt.Errorf("bench: %s has no measured row to plot", s.Study.Name)
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: %s\n%s", title(s.Study.Parameter), r.model(), r.setting())
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = fmt.Sprintf("%s (%s)", s.Study.Parameter, s.Study.Unit)
	p.Y.Label.Text = "throughput (tokens a second)"
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

	position := xPosition(s.Rows)
	generated, total := make(plotter.XYs, len(rows)), make(plotter.XYs, len(rows))
	for i, row := range rows {
		generated[i] = plotter.XY{X: position(row.Value), Y: row.GeneratedPerSecond}
		total[i] = plotter.XY{X: position(row.Value), Y: row.TotalPerSecond}
	}
	blue, orange := color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}, color.RGBA{R: 0xd6, G: 0x6a, B: 0x00, A: 0xff}
	if err := addCurve(p, "generated tok/s", generated, blue, draw.CircleGlyph{}); err != nil {
		return err
	}
	if err := addCurve(p, "total tok/s (input and output)", total, orange, draw.BoxGlyph{}); err != nil {
		return err
	}
	scaleX(&p.X, s.Rows, position)
	p.Y.Min = 0
	p.Y.Max *= 1.25 // an empty strip above the data, for the legend
	p.Y.Tick.Marker = plot.TickerFunc(rateTicks)
	p.Legend.Top = true
	p.Legend.Left = true
	p.Legend.XOffs = vg.Points(6)
	p.Legend.Padding = vg.Points(2)

	canvas := vgimg.NewWith(vgimg.UseWH(18*vg.Centimeter, 11*vg.Centimeter), vgimg.UseDPI(144))
	margin := vg.Points(10)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

func addCurve(p *plot.Plot, name string, xys plotter.XYs, c color.Color, shape draw.GlyphDrawer) error {
	line, points, err := plotter.NewLinePoints(xys)
	if err != nil {
		return fmt.Errorf("bench: drawing %s: %w", name, err)
	}
	line.Color = c
	line.Width = vg.Points(1.5)
	points.Color = c
	points.Shape = shape
	points.Radius = vg.Points(3)
	p.Add(line, points)
	p.Legend.Add(name, line, points)
	return nil
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
		label := strconv.Itoa(row.Value)
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
