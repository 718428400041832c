package report

import (
	"fmt"
	"image/color"
	"io"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// WritePlot draws a study as a PNG: the speed-up of each point against the tensor_parallel_size, with the range of each, and
// the ideal line, on which twice the devices are twice as fast. A study without any figures is an error.
func (s *Scaling) WritePlot(w io.Writer, study ScalingStudy) error {
	p := newCurvePlot(fmt.Sprintf("Scaling over devices, %s: %s\n%s", study.Study.Parameter, s.common.model(), s.common.setting()),
		"tensor parallel size", "speed-up over the smallest size")
	var sizes []int
	for i, point := range study.Points {
		rows := point.measured()
		if len(rows) < 2 {
			continue
		}
		line := curve{}
		for _, row := range rows {
			sizes = append(sizes, row.TensorParallelSize)
			line.XYs = append(line.XYs, plotter.XY{X: float64(row.TensorParallelSize), Y: row.Speedup})
			line.YErrors = append(line.YErrors, struct{ Low, High float64 }{row.SpeedupLow - row.Speedup, row.SpeedupHigh - row.Speedup})
		}
		if err := addSpeedups(p, point.Name, line, i); err != nil {
			return err
		}
	}
	if sizes == nil {
		return fmt.Errorf("bench: %s has no point with two sizes to plot", study.Study.Name)
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	first, last := float64(sizes[0]), float64(sizes[len(sizes)-1])
	ideal, err := plotter.NewLine(plotter.XYs{{X: first, Y: 1}, {X: last, Y: last / first}})
	if err != nil {
		return fmt.Errorf("bench: drawing the ideal line: %w", err)
	}
	ideal.Color = color.Gray{Y: 0x66}
	ideal.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	p.Add(ideal)
	p.Legend.Add("ideal", ideal)

	var ticks plot.ConstantTicks
	for _, size := range sizes {
		ticks = append(ticks, plot.Tick{Value: float64(size), Label: strconv.Itoa(size)})
	}
	p.X.Tick.Marker = ticks
	room := 0.05 * (last - first)
	p.X.Min, p.X.Max = first-room, last+room
	p.Y.Min = 0
	p.Y.Max *= 1.25 // an empty strip above the data, for the legend
	p.Y.Tick.Marker = plot.TickerFunc(rateTicks)
	return writePNG(w, 11*vg.Centimeter, p.Draw)
}

// addSpeedups draws the line of a point, the i-th of its plot.
func addSpeedups(p *plot.Plot, name string, speedups curve, i int) error {
	line, points, err := plotter.NewLinePoints(speedups)
	if err != nil {
		return fmt.Errorf("bench: drawing %s: %w", name, err)
	}
	bars, err := plotter.NewYErrorBars(speedups)
	if err != nil {
		return fmt.Errorf("bench: drawing the intervals of %s: %w", name, err)
	}
	line.Color, points.Color, bars.Color = plotutil.Color(i), plotutil.Color(i), plotutil.Color(i)
	line.Width = vg.Points(1.5)
	points.Shape = plotutil.Shape(i)
	points.Radius = vg.Points(3)
	p.Add(line, points, bars)
	p.Legend.Add(name, line, points)
	return nil
}
