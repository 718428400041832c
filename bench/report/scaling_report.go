package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"vllmgo/bench/internal/files"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/workload"
	"vllmgo/internal/plain"
)

// WriteFiles writes everything into files of a directory, and replaces those that are there:
// scaling.txt, scaling.csv and, for each study, scaling-NAME.png.
func (s *Scaling) WriteFiles(dir string) error { return files.Write(dir, s.files()) }

// files returns the files of the comparison.
func (s *Scaling) files() []files.File {
	all := []files.File{{Name: "scaling.txt", Write: s.WriteReport}, {Name: "scaling.csv", Write: s.WriteCSV}}
	for _, study := range s.Studies {
		if slices.ContainsFunc(study.Points, func(p ScalingPoint) bool { return len(p.measured()) > 1 }) {
			write := func(w io.Writer) error { return s.WritePlot(w, study) }
			all = append(all, files.File{Name: "scaling-" + study.Study.Name + ".png", Write: write})
		}
	}
	return all
}

// WriteReport writes the setting, a table and a finding for each study, and what differs between
// the runs.
func (s *Scaling) WriteReport(w io.Writer) error {
	var b bytes.Buffer // whose writes do not fail
	fmt.Fprintf(&b, "Model: %s\nSetting: %s\n", s.common.model(), s.common.setting())
	if versions := s.common.versions(); versions != "" {
		fmt.Fprintf(&b, "Versions: %s\n", versions)
	}
	fmt.Fprintf(&b, "Machine: %s\n", s.common.Header.Machine)
	for _, run := range s.runs {
		fmt.Fprintf(&b, "Run %s: %s\n", run.Name, strings.Join(run.Header.Command, " "))
	}
	if s.replicated() {
		b.WriteString(replicasExplanation)
	} else {
		b.WriteString(scalingExplanation)
	}
	for _, study := range s.Studies {
		b.WriteString("\n")
		if err := s.writeTable(&b, study); err != nil {
			return fmt.Errorf("bench: writing a table: %w", err)
		}
		fmt.Fprintf(&b, "%s\n", study.finding())
	}
	for _, note := range s.Notes {
		fmt.Fprintf(&b, "\nNote: %s.", note)
	}
	if s.Notes != nil {
		b.WriteString("\n")
	}
	_, err := plain.Writer(w).Write(b.Bytes())
	return err
}

// scalingExplanation explains how to read the tables.
const scalingExplanation = "Speed-up is a point's throughput over that with the smallest tensor parallel size (TP) " +
	"measured; " +
	"efficiency is the\nspeed-up over the ratio of the sizes. Figures are medians, intervals those of the medians.\n"

// replicasExplanation is scalingExplanation for runs with several engines.
const replicasExplanation = "TP is the tensor parallel size, DP the data parallel size: the number of engines, " +
	"which may share devices.\nSpeed-up is a point's throughput over that with the smallest TP × DP measured; " +
	"efficiency is the speed-up over\nthe ratio of the sizes. Figures are medians, intervals those of the medians.\n"

// replicated reports whether a row has several engines.
func (s *Scaling) replicated() bool {
	return slices.ContainsFunc(s.Studies, func(study ScalingStudy) bool {
		return slices.ContainsFunc(study.lines(), func(l scalingLine) bool { return l.DataParallelSize > 1 })
	})
}

// scalingLine is a row with the names of its study and its point.
type scalingLine struct {
	study, point string
	ScalingRow
}

// lines returns the rows of all points.
func (s ScalingStudy) lines() []scalingLine {
	var lines []scalingLine
	for _, p := range s.Points {
		for _, row := range p.Rows {
			lines = append(lines, scalingLine{s.Study.Name, p.Name, row})
		}
	}
	return lines
}

// writeTable writes a study as a table: a line for each point and size. There is no column for what
// no row has.
func (s *Scaling) writeTable(w io.Writer, study ScalingStudy) error {
	lines := study.lines()
	var columns format.Columns[scalingLine]
	figure := func(header string, cell func(scalingLine) string) {
		columns.Add(header, func(l scalingLine) string { return format.Known(l.measured(), cell(l)) })
	}
	columns.Add("point", func(l scalingLine) string { return l.point })
	columns.Add("TP", func(l scalingLine) string { return fmt.Sprint(l.TensorParallelSize) })
	if s.replicated() {
		columns.Add("DP", func(l scalingLine) string { return fmt.Sprint(l.DataParallelSize) })
	}
	columns.Add("generated tok/s", func(l scalingLine) string {
		if !l.measured() {
			return string(l.Status)
		}
		return format.Rate(l.GeneratedPerSecond)
	})
	figure("interval tok/s", func(l scalingLine) string {
		return format.Interval(l.estimate(workload.Point.GeneratedRate), format.Rate)
	})
	columns.Add("trials", func(l scalingLine) string { return fmt.Sprint(len(l.Trials)) })
	figure("speed-up", func(l scalingLine) string { return format.Fixed(l.Speedup, 2) })
	figure("efficiency", func(l scalingLine) string { return format.Percent(l.Efficiency, 0) })
	hasMemory := func(l scalingLine) bool { return l.gpuMemory() > 0 }
	if slices.ContainsFunc(lines, hasMemory) {
		columns.Add("memory a GPU", func(l scalingLine) string {
			return format.Known(hasMemory(l), format.Bytes(l.gpuMemory()))
		})
	}
	hasEnergy := func(l scalingLine) bool { return l.hasEnergy() }
	if slices.ContainsFunc(lines, hasEnergy) {
		columns.Add("J/token", func(l scalingLine) string {
			return format.Known(hasEnergy(l), fmt.Sprintf("%.3g", l.JoulesPerToken))
		})
	}
	figure("load s", func(l scalingLine) string { return format.Seconds(l.Engine.LoadTime) })
	columns.Add("checks", func(l scalingLine) string { return checksCell(l.Row) })
	title := "Scaling over devices, " + study.Study.Parameter
	return columns.WriteTable(w, s.common.caption(title, study.Study), lines, 1)
}

// gain is what a size gains at a point.
type gain struct {
	point   string
	speedup float64
}

// finding returns in words how much each size gains, least and most.
func (s ScalingStudy) finding() string {
	gains := map[string][]gain{}
	var rows []ScalingRow // the first of each size
	for _, p := range s.Points {
		for i, row := range p.measured() {
			if i == 0 {
				continue
			}
			if size := row.label(); gains[size] == nil {
				rows = append(rows, row)
			}
			gains[row.label()] = append(gains[row.label()], gain{p.Name, row.Speedup})
		}
	}
	slices.SortStableFunc(rows, ScalingRow.compareSize)
	var parts []string
	for _, row := range rows {
		size := row.label()
		order := func(a, b gain) int { return cmp.Compare(a.speedup, b.speedup) }
		least, most := slices.MinFunc(gains[size], order), slices.MaxFunc(gains[size], order)
		text := fmt.Sprintf("%s: speed-up %s (%s)", size, format.Fixed(least.speedup, 2), least.point)
		if len(gains[size]) > 1 {
			text += fmt.Sprintf(" to %s (%s)", format.Fixed(most.speedup, 2), most.point)
		}
		parts = append(parts, text)
	}
	if parts == nil {
		return "No point was measured with two sizes."
	}
	return strings.Join(parts, "; ") + "."
}
