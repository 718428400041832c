// Package report makes results from the journals of runs: figures, findings, recommendations,
// tables, CSV files and plots. It needs neither vLLM nor the machine that was measured.
//
// # Results
//
// [Read] reads the journal in a results directory and computes the [Results] of the run. They have
// a [Row] for each point of each study:
//
//	results, err := report.Read("results/now")
//	…
//	for _, row := range results.Studies[0].Rows {
//		if row.Status == report.Measured {
//			fmt.Println(row.Point, row.Elapsed.Value, row.GeneratedPerSecond)
//		}
//	}
//
// A row has the median of its trials with its interval, rates, the share of the speed of light
// that was reached ([Light]), and the latencies of its requests when they were timed ([Latency]).
// Each [Check] reports whether the figures meet a condition for being valid. A row that fails a
// check keeps its figures: reports mark it, and Row.Notes explain why.
//
// # Reports
//
// [Results.WriteShort] writes the answer on a page: what was measured, whether it can be trusted, a
// table and a finding for each study. [Results.WriteReport] writes all tables and texts.
// [Results.WriteFiles] writes the latter into files together with CSV files, plots and
// results.json, from which the Results can be read again. [Publish] does both after a run.
//
//	results, err := report.Publish("results/now", os.Stdout)
//
// # Several runs
//
// [Compare] reports which points of two runs differ, and by how much; [Comparison.Judge] reports
// whether one is slower than the other by a limit. [NewScaling] reports what more devices gain,
// from runs of the same points with different tensor_parallel_size.
//
// A soak test has a journal and a report of another kind; see [WriteSoak].
package report
