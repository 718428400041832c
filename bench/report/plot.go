package report

import (
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The colors of all plots.
var (
	blue      = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}
	lightBlue = color.RGBA{R: 0xa6, G: 0xc8, B: 0xe1, A: 0xff}
	orange    = color.RGBA{R: 0xd6, G: 0x6a, B: 0x00, A: 0xff}
	red       = color.RGBA{R: 0xcc, A: 0xff}
	grey      = color.Gray{Y: 0x66}
	pale      = color.Gray{Y: 0xdd}
)

// newPlot returns a plot with the fonts and the grid of all plots.
func newPlot() *plot.Plot {
	p := plot.New()
	p.TextHandler = plainText{text.Plain{Fonts: font.DefaultCache}}
	set := func(style *text.Style, size vg.Length) {
		style.Font, style.Handler = font.From(sans, size), p.TextHandler
	}
	set(&p.Title.TextStyle, 11)
	set(&p.Legend.TextStyle, 11)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		set(&axis.Label.TextStyle, 11)
		axis.Label.Padding = vg.Points(4)
		set(&axis.Tick.Label, 10)
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = pale, pale
	p.Add(grid)
	return p
}

// newCurvePlot returns a plot with titles and a legend inside.
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

// curve is a line through medians, with the distances to the ends of their intervals.
type curve struct {
	plotter.XYs
	plotter.YErrors
}

// add adds a median and its interval.
func (c *curve) add(x, y, low, high float64) {
	c.XYs = append(c.XYs, plotter.XY{X: x, Y: y})
	c.YErrors = append(c.YErrors, struct{ Low, High float64 }{low - y, high - y})
}

// addCurve draws a curve, with a mark at each median and its interval as a bar.
func addCurve(p *plot.Plot, name string, medians curve, c color.Color, shape draw.GlyphDrawer) error {
	line, points, err := plotter.NewLinePoints(medians)
	if err != nil {
		return fmt.Errorf("bench: drawing %s: %w", name, err)
	}
	bars, err := plotter.NewYErrorBars(medians)
	if err != nil {
		return fmt.Errorf("bench: drawing the intervals of %s: %w", name, err)
	}
	line.Color, points.Color, bars.Color = c, c, c
	line.Width, bars.Width = vg.Points(1.5), vg.Points(1)
	points.Shape, points.Radius = shape, vg.Points(3)
	p.Add(line, points, bars)
	p.Legend.Add(name, line, points)
	return nil
}

// addMarks draws a mark at each of some places, and returns the marks for a legend.
func addMarks(
	p *plot.Plot, xys plotter.XYs, c color.Color, shape draw.GlyphDrawer, radius vg.Length,
) (*plotter.Scatter, error) {
	marks, err := plotter.NewScatter(xys)
	if err != nil {
		return nil, err
	}
	marks.Color, marks.Shape, marks.Radius = c, shape, radius
	p.Add(marks)
	return marks, nil
}

// startAtZero makes the Y axis begin at 0 and end above the data, by a factor, with ticks at round
// values.
func startAtZero(p *plot.Plot, above float64) {
	p.Y.Min = 0
	p.Y.Max *= above
	p.Y.Tick.Marker = plot.TickerFunc(rateTicks)
}

// legendRoom is the factor that leaves an empty strip above the data for the legend.
const legendRoom = 1.25

// curvePlotHeight is the height of a picture with one plot.
const curvePlotHeight = 11 * vg.Centimeter

// writePNG writes a picture as PNG. All pictures have the same width and margin.
func writePNG(w io.Writer, height vg.Length, picture func(draw.Canvas)) error {
	canvas := vgimg.NewWith(vgimg.UseWH(18*vg.Centimeter, height), vgimg.UseDPI(144))
	margin := vg.Points(10)
	picture(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// writePanels writes plots in rows and columns, under a heading and a legend unless it is empty.
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

// legend is a legend in one row, with one entry for each name.
type legend struct {
	names   []string
	entries []plot.Legend
}

// add adds an entry unless the legend has one of that name.
func (l *legend) add(name string, thumbnail plot.Thumbnailer) {
	if slices.Contains(l.names, name) {
		return
	}
	entry := plot.NewLegend()
	entry.TextStyle = newPlot().Legend.TextStyle
	entry.Top, entry.Left = true, true
	entry.Add(name, thumbnail)
	l.names, l.entries = append(l.names, name), append(l.entries, entry)
}

// draw draws the legend at the top of a canvas, from the left, and returns its height.
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
