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
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"vllmgo/internal/format"
)

// timedRows are the rows with latencies.
func timedRows(s StudyResult) []Row {
	return slices.DeleteFunc(slices.Clone(s.Rows), func(r Row) bool { return r.Latency == nil })
}

// WriteLatencyPlot draws as a PNG how TTFT, ITL, TPOT and E2E are distributed at each of a study's points: a histogram above
// the point's name, as high as its fullest bin, over a logarithmic time axis, with a red bar at the median. A study without
// latencies is an error.
func (r *Results) WriteLatencyPlot(w io.Writer, s StudyResult) error {
	rows := timedRows(s)
	if len(rows) == 0 {
		return fmt.Errorf("bench: %s has no latencies to plot", s.Study.Name)
	}
	var names plot.ConstantTicks
	for i, row := range rows {
		names = append(names, plot.Tick{Value: float64(i), Label: strings.ReplaceAll(row.Name(), ", ", "\n")})
	}
	panel := func(name string, of func(*Latency) Percentiles) (*plot.Plot, error) {
		p := newPlot()
		p.Title.Text, p.X.Label.Text = name, "ms"
		for i, row := range rows {
			if err := addHistogram(p, of(row.Latency), float64(i)); err != nil {
				return nil, fmt.Errorf("bench: drawing %s of %s: %w", name, row, err)
			}
		}
		p.X.Tick.Marker = plot.TickerFunc(decadeTicks)
		p.Y.Tick.Marker, p.Y.Min, p.Y.Max = names, -0.1, float64(len(rows))
		return p, nil
	}
	panels := make([][]*plot.Plot, 2)
	for i, m := range []struct {
		name string
		of   func(*Latency) Percentiles
	}{
		{"TTFT, of requests", func(l *Latency) Percentiles { return l.TTFT }},
		{"ITL, of gaps between tokens", func(l *Latency) Percentiles { return l.ITL }},
		{"E2E, of requests", func(l *Latency) Percentiles { return l.E2E }},
		{"TPOT, of requests", func(l *Latency) Percentiles { return l.TPOT }},
	} {
		p, err := panel(m.name, m.of)
		if err != nil {
			return err
		}
		panels[i/2] = append(panels[i/2], p)
	}
	panels[0][0].Y.Label.Text, panels[1][0].Y.Label.Text = s.Study.Parameter, s.Study.Parameter
	heading := fmt.Sprintf("%s, how latencies are distributed\n%s, %s", format.Title(s.Study.Parameter), r.model(), r.setting())
	height := 2*(vg.Length(len(rows))*1.1+2.6)*vg.Centimeter + 2*vg.Centimeter
	return writePanels(w, heading, legend{}, height, panels)
}

// addHistogram draws the histogram of times above a base, and their median.
func addHistogram(p *plot.Plot, times Percentiles, base float64) error {
	if len(times.Histogram) == 0 {
		return nil
	}
	most := 0
	for _, bin := range times.Histogram {
		most = max(most, bin.Count)
	}
	outline := plotter.XYs{}
	for _, bin := range times.Histogram {
		left := logMilliseconds(bin.Low)
		top := base + 0.85*float64(bin.Count)/float64(most)
		outline = append(outline, plotter.XY{X: left, Y: base}, plotter.XY{X: left, Y: top}, plotter.XY{X: left + 0.1, Y: top}, plotter.XY{X: left + 0.1, Y: base})
	}
	shape, err := plotter.NewPolygon(outline)
	if err != nil {
		return err
	}
	shape.Color, shape.LineStyle.Color, shape.LineStyle.Width = color.RGBA{R: 0xa6, G: 0xc8, B: 0xe1, A: 0xff}, blue, vg.Points(0.75)
	middle := logMilliseconds(times.P50)
	median, err := plotter.NewLine(plotter.XYs{{X: middle, Y: base}, {X: middle, Y: base + 0.85}})
	if err != nil {
		return err
	}
	median.Color, median.Width = red, vg.Points(1)
	p.Add(shape, median)
	return nil
}

// logMilliseconds places a time on the axis, which itself is linear, as that of the other plots is.
func logMilliseconds(t time.Duration) float64 { return math.Log10(max(1, float64(t)) / 1e6) }

// decadeTicks are ticks at 1, 2 and 5 times the powers of ten, of which the powers alone have labels on axes of more than
// two decades.
func decadeTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for power := math.Floor(low); power <= high; power++ {
		for _, factor := range []float64{1, 2, 5} {
			tick := plot.Tick{Value: power + math.Log10(factor)}
			if factor == 1 || high-low <= 2 {
				tick.Label = strconv.FormatFloat(factor*math.Pow(10, power), 'g', 6, 64)
			}
			if low <= tick.Value && tick.Value <= high {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}
