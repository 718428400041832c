package report

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vllmgo/bench/stat"
	"vllmgo/internal/format"
)

// WriteFiles writes everything that is made from the runs into a directory, over what is there: scaling.txt, scaling.csv
// and, for each study, scaling-NAME.png.
func (s *Scaling) WriteFiles(dir string) error {
	err := errors.Join(writeFile(dir, "scaling.txt", s.WriteReport), writeFile(dir, "scaling.csv", s.WriteCSV))
	for _, study := range s.Studies {
		if slices.ContainsFunc(study.Points, func(p ScalingPoint) bool { return len(p.measured()) > 1 }) {
			err = errors.Join(err, writeFile(dir, "scaling-"+study.Study.Name+".png", func(w io.Writer) error { return s.WritePlot(w, study) }))
		}
	}
	return err
}

// WriteReport prints the setting, a table and a finding for each study, and in what the runs differ.
func (s *Scaling) WriteReport(w io.Writer) error {
	var b bytes.Buffer // so that an error of w's is returned once, at the end
	fmt.Fprintf(&b, "Model: %s\nSetting: %s\n", s.common.model(), s.common.setting())
	if len(s.common.Engines) > 0 {
		info := s.common.Engines[0].Info
		fmt.Fprintf(&b, "Versions: vLLM %s, torch %s, Python %s\n", info.VLLMVersion, info.TorchVersion, info.PythonVersion)
	}
	fmt.Fprintf(&b, "Machine: %s\n", s.common.Header.Machine)
	for _, run := range s.runs {
		fmt.Fprintf(&b, "Run %s: %s\n", run.Name, strings.Join(run.Header.Command, " "))
	}
	b.WriteString("Speed-up is a point's throughput over that with the smallest tensor parallel size (TP) measured; efficiency is the\n" +
		"speed-up over the ratio of the sizes. Figures are medians, intervals those of the medians.\n")
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
	_, err := w.Write(b.Bytes())
	return err
}

// writeTable prints a study: a line for each point and tensor_parallel_size. What no row has is no column.
func (s *Scaling) writeTable(w io.Writer, study ScalingStudy) error {
	header := []string{"point", "TP", "generated tok/s", "interval tok/s", "trials", "speed-up", "efficiency"}
	memory := study.some(func(r ScalingRow) bool { return r.gpuMemory() > 0 })
	energy := study.some(func(r ScalingRow) bool { return r.JoulesPerToken > 0 })
	if memory {
		header = append(header, "memory a GPU")
	}
	if energy {
		header = append(header, "J/token")
	}
	header = append(header, "load s", "checks")
	var lines [][]string
	for _, p := range study.Points {
		for _, row := range p.Rows {
			rate, interval, speedup, efficiency, load := string(row.Status), "–", "–", "–", "–"
			if row.Status == Measured {
				rate, interval = format.Rate(row.GeneratedPerSecond), formatRateInterval(row.Row)
				speedup, efficiency = fmt.Sprintf("%.2f", row.Speedup), fmt.Sprintf("%.0f %%", 100*row.Efficiency)
				load = format.Seconds(row.Engine.LoadTime)
			}
			line := []string{p.Name, strconv.Itoa(row.TensorParallelSize), rate, interval, strconv.Itoa(len(row.Trials)), speedup, efficiency}
			if memory {
				line = append(line, known(row.gpuMemory() > 0, format.Bytes(row.gpuMemory())))
			}
			if energy {
				line = append(line, known(row.JoulesPerToken > 0, fmt.Sprintf("%.3g", row.JoulesPerToken)))
			}
			lines = append(lines, append(line, load, checksCell(row.Row)))
		}
	}
	caption := "Scaling over devices, " + study.Study.Parameter
	if fixed := study.Study.Fixed(); fixed != "" {
		caption += ", " + fixed
	}
	return format.Table(w, fmt.Sprintf("%s: %s, %s", caption, s.common.model(), s.common.setting()), header, lines, 1)
}

// known is text, or a dash for what is not known.
func known(is bool, text string) string {
	if is {
		return text
	}
	return "–"
}

// formatRateInterval is the interval of a median as generated tokens a second, with its confidence when that is below 95 %.
func formatRateInterval(r Row) string {
	if r.Elapsed.N < 2 {
		return "–"
	}
	text := format.Rate(r.GeneratedRate(r.Elapsed.High)) + "–" + format.Rate(r.GeneratedRate(r.Elapsed.Low))
	if r.Elapsed.Confidence < stat.Confidence {
		text += fmt.Sprintf(" (%.0f %%)", 100*r.Elapsed.Confidence)
	}
	return text
}

// finding says in words how much each size gains, least and most.
func (s ScalingStudy) finding() string {
	type gain struct {
		point   string
		speedup float64
	}
	gains := map[int][]gain{}
	for _, p := range s.Points {
		for i, row := range p.measured() {
			if i > 0 {
				gains[row.TensorParallelSize] = append(gains[row.TensorParallelSize], gain{p.Name, row.Speedup})
			}
		}
	}
	var parts []string
	for _, size := range slices.Sorted(maps.Keys(gains)) {
		order := func(a, b gain) int { return cmp.Compare(a.speedup, b.speedup) }
		least, most := slices.MinFunc(gains[size], order), slices.MaxFunc(gains[size], order)
		text := fmt.Sprintf("TP %d: speed-up %.2f (%s)", size, least.speedup, least.point)
		if len(gains[size]) > 1 {
			text += fmt.Sprintf(" to %.2f (%s)", most.speedup, most.point)
		}
		parts = append(parts, text)
	}
	if parts == nil {
		return "No point was measured with two sizes."
	}
	return strings.Join(parts, "; ") + "."
}

// some reports whether a measured row is so.
func (s ScalingStudy) some(is func(ScalingRow) bool) bool {
	return slices.ContainsFunc(s.Points, func(p ScalingPoint) bool { return slices.ContainsFunc(p.measured(), is) })
}

// WriteCSV writes the rows of all studies, one line each, with a header line. Units are those of [Results.WriteCSV];
// gpu_memory_bytes is the memory in use on the engine's fullest GPU.
func (s *Scaling) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{
		"study", "point", "requests", "input_tokens", "output_tokens", "tensor_parallel_size", "status", "trials",
		"elapsed_s", "elapsed_low_s", "elapsed_high_s", "confidence", "generated_tokens_per_s",
		"speedup", "speedup_low", "speedup_high", "efficiency", "gpu_memory_bytes", "joules_per_token", "load_s",
		"model", "random_weights", "dtype", "device", "engine_mode", "run",
	})
	dtype, device, _, mode := s.common.info()
	for _, study := range s.Studies {
		for _, p := range study.Points {
			for _, row := range p.Rows {
				line := []string{
					study.Study.Name, p.Name, strconv.Itoa(row.Requests), strconv.Itoa(row.InputTokens()), strconv.Itoa(row.OutputTokens()),
					strconv.Itoa(row.TensorParallelSize), string(row.Status), strconv.Itoa(len(row.Trials)),
				}
				line = append(line, row.csvFigures()...)
				out.Write(append(line, s.common.Header.Model, strconv.FormatBool(s.common.Header.RandomWeights), dtype, device, mode, row.run))
			}
		}
	}
	out.Flush()
	return out.Error()
}

// csvFigures are the columns elapsed_s to load_s.
func (r ScalingRow) csvFigures() []string {
	if r.Status != Measured {
		return make([]string, 12)
	}
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
	memory, joules := "", ""
	if r.gpuMemory() > 0 {
		memory = strconv.FormatInt(r.gpuMemory(), 10)
	}
	if r.JoulesPerToken > 0 {
		joules = number(r.JoulesPerToken)
	}
	return []string{
		number(r.Elapsed.Value.Seconds()), number(r.Elapsed.Low.Seconds()), number(r.Elapsed.High.Seconds()), number(r.Elapsed.Confidence),
		number(r.GeneratedPerSecond), number(r.Speedup), number(r.SpeedupLow), number(r.SpeedupHigh), number(r.Efficiency),
		memory, joules, number(r.Engine.LoadTime.Seconds()),
	}
}
