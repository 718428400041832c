package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// WritePlot writes a plot of a study as PNG: the speed-up of each point against its size, with its
// range, and the ideal line, on which twice the devices are twice as fast. A point has a curve for
// one engine on more and more devices, and one for more and more engines. A study without any
// figures is an error.
func (s *Scaling) WritePlot(w io.Writer, study ScalingStudy) error {
	p := newCurvePlot(s.common.plotTitle("Scaling over devices, "+study.Study.Parameter), s.sizeAxis(),
		"speed-up over the smallest size")
	var sizes []int
	curves := 0
	for _, point := range study.Points {
		for _, series := range point.series() {
			var speedups curve
			for _, row := range series.rows {
				sizes = append(sizes, row.Size())
				speedups.add(float64(row.Size()), row.Speedup, row.SpeedupLow, row.SpeedupHigh)
			}
			if err := addCurve(p, series.name, speedups, plotutil.Color(curves), plotutil.Shape(curves)); err != nil {
				return err
			}
			curves++
		}
	}
	if sizes == nil {
		return fmt.Errorf("bench: %s has no point with two sizes to plot", study.Study.Name)
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	if err := addIdeal(p, float64(sizes[0]), float64(sizes[len(sizes)-1])); err != nil {
		return err
	}
	scaleSizes(&p.X, sizes)
	startAtZero(p, legendRoom)
	return writePNG(w, curvePlotHeight, p.Draw)
}

// sizeAxis names the sizes that the rows differ in.
func (s *Scaling) sizeAxis() string {
	tensor, data := false, false
	for _, study := range s.Studies {
		for _, l := range study.lines() {
			tensor, data = tensor || l.TensorParallelSize > 1, data || l.DataParallelSize > 1
		}
	}
	switch {
	case !data:
		return "tensor parallel size"
	case !tensor:
		return "data parallel size"
	}
	return "tensor parallel size (TP) or data parallel size (DP)"
}

// series is a curve of a plot.
type series struct {
	name string
	rows []ScalingRow
}

// series returns the measured rows with one engine, and those with one device for each. A series
// has two rows or more. Rows with several of both are in no series.
func (p ScalingPoint) series() []series {
	tensor := only(p.measured(), func(r ScalingRow) bool { return r.DataParallelSize == 1 })
	data := only(p.measured(), func(r ScalingRow) bool { return r.TensorParallelSize == 1 })
	switch {
	case len(tensor) > 1 && len(data) > 1:
		return []series{{p.Name + ", TP", tensor}, {p.Name + ", DP", data}}
	case len(tensor) > 1:
		return []series{{p.Name, tensor}}
	case len(data) > 1:
		return []series{{p.Name, data}}
	}
	return nil
}

// plotTexts returns the texts of the plots that come from the runs.
func (s *Scaling) plotTexts() []string {
	texts := []string{s.common.plotTitle("")}
	for _, study := range s.Studies {
		texts = append(texts, study.Study.Parameter)
		for _, p := range study.Points {
			texts = append(texts, p.Name)
		}
	}
	return texts
}

// addIdeal draws the line on which twice the devices are twice as fast.
func addIdeal(p *plot.Plot, first, last float64) error {
	ideal, err := plotter.NewLine(plotter.XYs{{X: first, Y: 1}, {X: last, Y: last / first}})
	if err != nil {
		return fmt.Errorf("bench: drawing the ideal line: %w", err)
	}
	ideal.Color = grey
	ideal.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	p.Add(ideal)
	p.Legend.Add("ideal", ideal)
	return nil
}

// scaleSizes gives the axis a tick at every size, and room on both sides.
func scaleSizes(axis *plot.Axis, sizes []int) {
	var ticks plot.ConstantTicks
	for _, size := range sizes {
		ticks = append(ticks, plot.Tick{Value: float64(size), Label: strconv.Itoa(size)})
	}
	axis.Tick.Marker = ticks
	first, last := ticks[0].Value, ticks[len(ticks)-1].Value
	room := 0.05 * (last - first)
	axis.Min, axis.Max = first-room, last+room
}
