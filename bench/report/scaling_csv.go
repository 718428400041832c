package report

import (
	"io"
	"strconv"

	"vllmgo/bench/internal/format"
)

// WriteCSV writes the rows of all studies as CSV, one line each after a line of headers. The units
// are those of [Results.WriteCSV]. gpu_memory_bytes is the memory in use on the engine's fullest
// GPU.
func (s *Scaling) WriteCSV(w io.Writer) error {
	var lines []scalingLine
	for _, study := range s.Studies {
		lines = append(lines, study.lines()...)
	}
	var columns format.Columns[scalingLine]
	columns.Add("study", func(l scalingLine) string { return l.study })
	columns.Add("point", func(l scalingLine) string { return l.point })
	columns.Add("requests", func(l scalingLine) string { return strconv.Itoa(l.Requests) })
	columns.Add("input_tokens", func(l scalingLine) string { return strconv.Itoa(l.InputTokens()) })
	columns.Add("output_tokens", func(l scalingLine) string { return strconv.Itoa(l.OutputTokens()) })
	columns.Add("tensor_parallel_size", func(l scalingLine) string { return strconv.Itoa(l.TensorParallelSize) })
	columns.Add("data_parallel_size", func(l scalingLine) string { return strconv.Itoa(l.DataParallelSize) })
	columns.Add("status", func(l scalingLine) string { return string(l.Status) })
	columns.Add("trials", func(l scalingLine) string { return strconv.Itoa(len(l.Trials)) })
	addScalingFigures(&columns)
	setting := s.common.engineSetting()
	always := func(header, text string) { columns.Add(header, func(scalingLine) string { return text }) }
	always("model", s.common.Header.Model)
	always("random_weights", strconv.FormatBool(s.common.Header.RandomWeights))
	always("dtype", setting.dtype)
	always("device", setting.device)
	always("engine_mode", setting.mode)
	columns.Add("run", func(l scalingLine) string { return l.run })
	return columns.WriteCSV(w, lines)
}

// addScalingFigures adds the columns of what was measured.
func addScalingFigures(columns *format.Columns[scalingLine]) {
	add := func(header string, cell func(scalingLine) string) { columns.Add(header, whenMeasured(cell)) }
	add("elapsed_s", func(l scalingLine) string { return csvSeconds(l.Elapsed.Value) })
	add("elapsed_low_s", func(l scalingLine) string { return csvSeconds(l.Elapsed.Low) })
	add("elapsed_high_s", func(l scalingLine) string { return csvSeconds(l.Elapsed.High) })
	add("confidence", func(l scalingLine) string { return csvFraction(l.Elapsed.Confidence) })
	add("generated_tokens_per_s", func(l scalingLine) string { return csvRate(l.GeneratedPerSecond) })
	add("speedup", func(l scalingLine) string { return csvFraction(l.Speedup) })
	add("speedup_low", func(l scalingLine) string { return csvFraction(l.SpeedupLow) })
	add("speedup_high", func(l scalingLine) string { return csvFraction(l.SpeedupHigh) })
	add("efficiency", func(l scalingLine) string { return csvFraction(l.Efficiency) })
	hasMemory := func(l scalingLine) bool { return l.gpuMemory() > 0 }
	add("gpu_memory_bytes", whenKnown(hasMemory, func(l scalingLine) string {
		return strconv.FormatInt(l.gpuMemory(), 10)
	}))
	hasEnergy := func(l scalingLine) bool { return l.hasEnergy() }
	add("joules_per_token", whenKnown(hasEnergy, func(l scalingLine) string { return csvFraction(l.JoulesPerToken) }))
	add("load_s", func(l scalingLine) string { return csvSeconds(l.Engine.LoadTime) })
}
