package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"vllmgo/bench/stat"
)

// WriteCSV writes a study's rows, one line a point, with a header line. Times are in seconds, sizes in
// bytes, rates in tokens a second; what was not measured is empty. elapsed_s is the trials' median,
// elapsed_low_s to elapsed_high_s its interval with the given confidence (see [stat.Estimate]).
func (r *Results) WriteCSV(w io.Writer, s StudyResult) error {
	out := csv.NewWriter(w)
	out.Write([]string{
		"study", "value", "requests", "input_tokens", "output_tokens", "status", "trials", "stopped",
		"elapsed_s", "elapsed_low_s", "elapsed_high_s", "confidence", "elapsed_min_s", "elapsed_max_s", "drift", "drift_p", "dip", "dip_p",
		"generated_tokens_per_s", "total_tokens_per_s",
		"outside_generate_s", "cold_s", "start_up", "light_memory_s", "light_arithmetic_s", "light_share", "joules_per_token", "peak_kv_tokens", "load_s", "load_host_bytes", "load_gpu_bytes",
		"model", "random_weights", "dtype", "device", "tensor_parallel_size", "engine_mode", "preset", "failed_checks", "notes",
	})
	dtype, device, tensorParallel, mode := r.info()
	for _, row := range s.Rows {
		size := tensorParallel
		if row.Status == Measured {
			size = strconv.Itoa(r.engine(row).Info.TensorParallelSize)
		}
		var failed []string
		for _, c := range row.failedChecks() {
			failed = append(failed, c.Name)
		}
		out.Write(append(append([]string{
			row.Study, strconv.Itoa(row.Value), strconv.Itoa(row.Requests), strconv.Itoa(row.InputTokens()), strconv.Itoa(row.OutputTokens()),
			string(row.Status), strconv.Itoa(len(row.Trials)), row.Stopped,
		}, r.csvFigures(row)...),
			r.Header.Model, strconv.FormatBool(r.Header.RandomWeights), dtype, device, size, mode,
			r.Header.Preset, strings.Join(failed, "; "), strings.Join(row.Notes, "; ")))
	}
	out.Flush()
	return out.Error()
}

// csvFigures are the columns elapsed_s to load_gpu_bytes.
func (r *Results) csvFigures(row Row) []string {
	if row.Status != Measured {
		return make([]string, 23)
	}
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
	var outside []time.Duration
	fraction := func(f float64) string { return strconv.FormatFloat(f, 'g', 4, 64) }
	least, most := row.Elapsed.Value, row.Elapsed.Value
	for _, t := range row.Trials {
		outside = append(outside, t.Outside)
		least, most = min(least, t.Elapsed), max(most, t.Elapsed)
	}
	joules := ""
	if row.JoulesPerToken > 0 {
		joules = fraction(row.JoulesPerToken)
	}
	figures := []string{
		seconds(row.Elapsed.Value), seconds(row.Elapsed.Low), seconds(row.Elapsed.High), fraction(row.Elapsed.Confidence),
		seconds(least), seconds(most),
		fraction(row.Trend.Change), fraction(row.Trend.P), fraction(row.Modes.Dip), fraction(row.Modes.P),
		strconv.FormatFloat(row.GeneratedPerSecond, 'f', 3, 64), strconv.FormatFloat(row.TotalPerSecond, 'f', 3, 64),
		seconds(stat.Median(outside).Value), seconds(row.Cold.Elapsed), fraction(row.Cold.StartUp),
		seconds(row.Light.Memory), seconds(row.Light.Arithmetic), fraction(row.Light.Share), joules, strconv.Itoa(row.PeakKVTokens),
	}
	e := r.engine(row)
	gpu := ""
	if e.GPUMemory != nil {
		gpu = strconv.FormatInt(*e.GPUMemory, 10)
	}
	return append(figures, seconds(e.LoadTime), strconv.FormatInt(e.HostMemory, 10), gpu)
}
