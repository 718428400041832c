package report

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
)

// WriteCSV writes a study's rows as CSV, one line for each point after a line of headers. Times are
// in seconds, sizes in bytes, rates in tokens a second. A cell is empty when its figure was not
// measured. elapsed_s is the median of the trials, and elapsed_low_s to elapsed_high_s its interval
// with the given confidence; see [stat.Estimate]. Where the value only counts the points, as in a
// grid, each axis has a column.
func (r *Results) WriteCSV(w io.Writer, s StudyResult) error {
	var columns format.Columns[Row]
	addPointColumns(&columns, s.Rows)
	addTimeColumns(&columns)
	addThroughputColumns(&columns)
	r.addEngineColumns(&columns)
	r.addSettingColumns(&columns)
	columns.Add("failed_checks", func(row Row) string {
		var failed []string
		for _, c := range row.failedChecks() {
			failed = append(failed, c.Name)
		}
		return strings.Join(failed, "; ")
	})
	columns.Add("notes", func(row Row) string { return strings.Join(row.Notes, "; ") })
	return columns.WriteCSV(w, s.Rows)
}

// addPointColumns adds the columns for what a point is and what became of it.
func addPointColumns(columns *format.Columns[Row], rows []Row) {
	columns.Add("study", func(row Row) string { return row.Study })
	columns.Add("value", func(row Row) string { return strconv.Itoa(row.Value) })
	addAxisColumns(columns, rows)
	columns.Add("requests", func(row Row) string { return strconv.Itoa(row.Requests) })
	columns.Add("input_tokens", func(row Row) string { return strconv.Itoa(row.InputTokens()) })
	columns.Add("output_tokens", func(row Row) string { return strconv.Itoa(row.OutputTokens()) })
	columns.Add("status", func(row Row) string { return string(row.Status) })
	columns.Add("trials", func(row Row) string { return strconv.Itoa(len(row.Trials)) })
	columns.Add("stopped", func(row Row) string { return string(row.Stopped) })
}

// addAxisColumns adds a column for each axis of the rows, such as "axis.max_num_seqs", if their
// value only counts them.
func addAxisColumns(columns *format.Columns[Row], rows []Row) {
	var axes []string
	counted := false
	for _, row := range rows {
		counted = counted || row.Name() != strconv.Itoa(row.Value)
		for _, c := range row.Coordinates {
			if !slices.Contains(axes, c.Axis) {
				axes = append(axes, c.Axis)
			}
		}
	}
	if !counted {
		return
	}
	for _, axis := range axes {
		columns.Add("axis."+axis, func(row Row) string {
			for _, c := range row.Coordinates {
				if c.Axis == axis {
					return c.Text()
				}
			}
			return ""
		})
	}
}

// addTimeColumns adds the columns of a point's times.
func addTimeColumns(columns *format.Columns[Row]) {
	seconds := func(header string, figure func(Row) time.Duration) {
		columns.Add(header, whenMeasured(func(row Row) string { return csvSeconds(figure(row)) }))
	}
	fraction := func(header string, figure func(Row) float64) {
		columns.Add(header, whenMeasured(func(row Row) string { return csvFraction(figure(row)) }))
	}
	seconds("elapsed_s", func(row Row) time.Duration { return row.Elapsed.Value })
	seconds("elapsed_low_s", func(row Row) time.Duration { return row.Elapsed.Low })
	seconds("elapsed_high_s", func(row Row) time.Duration { return row.Elapsed.High })
	fraction("confidence", func(row Row) float64 { return row.Elapsed.Confidence })
	seconds("elapsed_min_s", func(row Row) time.Duration { return slices.Min(row.times()) })
	seconds("elapsed_max_s", func(row Row) time.Duration { return slices.Max(row.times()) })
	fraction("drift", func(row Row) float64 { return row.Trend.Change })
	fraction("drift_p", func(row Row) float64 { return row.Trend.P })
	fraction("dip", func(row Row) float64 { return row.Modes.Dip })
	fraction("dip_p", func(row Row) float64 { return row.Modes.P })
}

// addThroughputColumns adds the columns of a point's rates, of what limits them, and of what they
// cost.
func addThroughputColumns(columns *format.Columns[Row]) {
	add := func(header string, cell func(Row) string) { columns.Add(header, whenMeasured(cell)) }
	add("generated_tokens_per_s", func(row Row) string { return csvRate(row.GeneratedPerSecond) })
	add("total_tokens_per_s", func(row Row) string { return csvRate(row.TotalPerSecond) })
	add("outside_generate_s", func(row Row) string {
		var outside []time.Duration
		for _, t := range row.Trials {
			outside = append(outside, t.Outside)
		}
		return csvSeconds(stat.Median(outside).Value)
	})
	cold := func(row Row) bool { return row.Cold.Elapsed != 0 }
	add("cold_s", whenKnown(cold, func(row Row) string { return csvSeconds(row.Cold.Elapsed) }))
	add("start_up", whenKnown(cold, func(row Row) string { return csvFraction(row.Cold.StartUp) }))
	light := func(row Row) bool { return row.Light.known() }
	// To the microsecond, as far as it is not 0: the limits of the device are not exact.
	microseconds := func(d time.Duration) string { return format.Fixed(d.Seconds(), 6) }
	add("light_memory_s", whenKnown(light, func(row Row) string { return microseconds(row.Light.Memory) }))
	add("light_arithmetic_s", whenKnown(light, func(row Row) string { return microseconds(row.Light.Arithmetic) }))
	add("light_share", whenKnown(light, func(row Row) string { return csvFraction(row.Light.Share) }))
	add("joules_per_token", whenKnown(Row.hasEnergy, func(row Row) string { return csvFraction(row.JoulesPerToken) }))
	add("peak_kv_tokens", func(row Row) string { return strconv.Itoa(row.PeakKVTokens) })
}

// addEngineColumns adds the columns of what it took to load the engine that measured a point.
func (r *Results) addEngineColumns(columns *format.Columns[Row]) {
	add := func(header string, cell func(journal.Engine) string) {
		columns.Add(header, whenMeasured(func(row Row) string { return cell(r.engine(row)) }))
	}
	add("load_s", func(e journal.Engine) string { return csvSeconds(e.LoadTime) })
	add("load_host_bytes", func(e journal.Engine) string {
		if e.HostMemory == 0 { // it could not be measured
			return ""
		}
		return strconv.FormatInt(e.HostMemory, 10)
	})
	add("load_gpu_bytes", func(e journal.Engine) string {
		if e.GPUMemory == nil {
			return ""
		}
		return strconv.FormatInt(*e.GPUMemory, 10)
	})
}

// addSettingColumns adds the columns of the run's setting.
func (r *Results) addSettingColumns(columns *format.Columns[Row]) {
	setting := r.engineSetting()
	always := func(header, text string) { columns.Add(header, func(Row) string { return text }) }
	always("model", r.Header.Model)
	always("random_weights", strconv.FormatBool(r.Header.RandomWeights))
	always("dtype", setting.dtype)
	always("device", setting.device)
	columns.Add("tensor_parallel_size", func(row Row) string {
		if !row.measured() {
			return setting.tensorParallel
		}
		return strconv.Itoa(r.engine(row).Info.TensorParallelSize)
	})
	always("engine_mode", setting.mode)
	always("preset", r.Header.Preset)
}

// whenMeasured returns a cell that is empty unless the row was measured.
func whenMeasured[R interface{ measured() bool }](cell func(R) string) func(R) string {
	return whenKnown(R.measured, cell)
}

// whenKnown returns a cell that is empty unless known reports true.
func whenKnown[R any](known func(R) bool, cell func(R) string) func(R) string {
	return func(row R) string {
		if !known(row) {
			return ""
		}
		return cell(row)
	}
}

// csvSeconds, csvRate and csvFraction return figures as CSV files have them.
func csvSeconds(d time.Duration) string { return format.Decimal(d.Seconds(), 6) }
func csvRate(perSecond float64) string  { return format.Decimal(perSecond, 3) }
func csvFraction(f float64) string      { return strconv.FormatFloat(f, 'g', 4, 64) }
