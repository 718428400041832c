package report_test

import (
	"fmt"
	"log"
	"strings"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// exampleJournal returns the journal of a small run: batch sizes 1, 2 and 4 on so many devices, six
// trials each. milliseconds are the median times.
func exampleJournal(devices int, milliseconds ...int) *journal.Journal {
	study := workload.Study{
		Name: "batch-size", Sweep: workload.BatchSize, Parameter: "batch size", Unit: "requests submitted at once",
		MaxNumBatchedTokens: 2048, MaxNumSeqs: 8,
	}
	var trials []journal.Trial
	for i, ms := range milliseconds {
		p := workload.Point{Study: study.Name, Value: 1 << i, Requests: 1 << i, InputLen: 128, OutputLen: 64}
		study.Points = append(study.Points, p)
		for trial, percent := range []int{100, 102, 99, 101, 98, 100} {
			var stopped stat.StopReason
			if trial == 5 {
				stopped = stat.MostTrials
			}
			trials = append(trials, journal.Trial{
				PointID: p.ID(), Trial: trial + 1, Stopped: stopped, Engine: 1, Elapsed: time.Duration(ms*percent) * time.Millisecond / 100,
				Ledger: journal.Ledger{Requests: p.Requests, InputTokens: p.InputTokens(), OutputTokens: p.OutputTokens()},
			})
		}
	}
	args := vllmgo.EngineArgs{TensorParallelSize: devices}
	return &journal.Journal{
		Header: journal.Header{
			Schema: journal.Schema, Command: []string{"example"}, Model: "facebook/opt-125m", Preset: "quick", EngineArgs: args,
			Stopping: stat.FixedTrials(6), Studies: []workload.Study{study}, Machine: journal.Machine{Cores: 8},
		},
		Engines: []journal.Engine{{
			Number: 1, Args: args, LoadTime: 20 * time.Second,
			Info: vllmgo.Info{Device: "cuda", Dtype: "float16", TensorParallelSize: devices, KVCacheTokens: 1 << 20},
		}},
		Trials: trials,
	}
}

// A program that has a results directory calls report.Read, which reads the journal in it.
func ExampleNew() {
	results := report.New(exampleJournal(1, 640, 660, 700))
	for _, row := range results.Studies[0].Rows {
		fmt.Printf("%s: %.0f generated tok/s, %v (%v to %v), %s\n",
			row.Point, row.GeneratedPerSecond, row.Elapsed.Value, row.Elapsed.Low, row.Elapsed.High, row.Stopped)
	}
	for _, rec := range results.Recommendations {
		fmt.Printf("for %s: %s\n", rec.Goal, strings.Join(rec.Rows, " or "))
	}
	// Output:
	// batch size 1: 100 generated tok/s, 640ms (627.2ms to 652.8ms), most trials reached
	// batch size 2: 194 generated tok/s, 660ms (646.8ms to 673.2ms), most trials reached
	// batch size 4: 366 generated tok/s, 700ms (686ms to 714ms), most trials reached
	// for maximum throughput: batch size 4
	// for lower latency: batch size 1 or batch size 4
	// for resource efficiency: batch size 4
}

func ExampleResults_WriteReport() {
	results := report.New(exampleJournal(1, 640, 660, 700))
	var text strings.Builder
	if err := results.WriteReport(&text); err != nil {
		log.Fatal(err)
	}
	_, summary, _ := strings.Cut(text.String(), "Results summary")
	for line := range strings.Lines(summary) {
		if strings.ContainsAny(line, "│─") {
			fmt.Print(line)
		}
	}
	// Output:
	// ┌────────────┬────────┬─────────────────┬───────────────┐
	// │ experiment │ range  │ generated tok/s │ optimal point │
	// ├────────────┼────────┼─────────────────┼───────────────┤
	// │ batch size │ 1 to 4 │ 100 to 366      │ 4 (366 tok/s) │
	// └────────────┴────────┴─────────────────┴───────────────┘
}

func ExampleResults_WriteCSV() {
	results := report.New(exampleJournal(1, 640, 660, 700))
	var table strings.Builder
	if err := results.WriteCSV(&table, results.Studies[0]); err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(table.String()) {
		cells := strings.Split(line, ",")
		fmt.Println(cells[1], cells[8:12])
	}
	// Output:
	// value [elapsed_s elapsed_low_s elapsed_high_s confidence]
	// 1 [0.640000 0.627200 0.652800 0.9688]
	// 2 [0.660000 0.646800 0.673200 0.9688]
	// 4 [0.700000 0.686000 0.714000 0.9688]
}

func ExampleCompare() {
	before, after := report.New(exampleJournal(1, 640, 660, 700)), report.New(exampleJournal(1, 640, 655, 630))
	for _, p := range report.Compare(before, after).Points {
		fmt.Printf("%s: %.2f times as long (%.2f to %.2f), differ: %v\n", p.Point, p.Ratio, p.Low, p.High, p.Differ)
	}
	// Output:
	// batch size 1: 1.00 times as long (0.97 to 1.03), differ: false
	// batch size 2: 0.99 times as long (0.96 to 1.02), differ: false
	// batch size 4: 0.90 times as long (0.87 to 0.93), differ: true
}

func ExampleNewScaling() {
	scaling, err := report.NewScaling(
		report.ScalingRun{Name: "results/tp1", Results: report.New(exampleJournal(1, 640, 660, 700))},
		report.ScalingRun{Name: "results/tp2", Results: report.New(exampleJournal(2, 430, 400, 380))},
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, point := range scaling.Studies[0].Points {
		for _, row := range point.Rows[1:] {
			fmt.Printf("%s, TP %d: %.2f times as fast, efficiency %.0f %%\n",
				point.Name, row.TensorParallelSize, row.Speedup, 100*row.Efficiency)
		}
	}
	// Output:
	// batch size 1, TP 2: 1.49 times as fast, efficiency 74 %
	// batch size 2, TP 2: 1.65 times as fast, efficiency 82 %
	// batch size 4, TP 2: 1.84 times as fast, efficiency 92 %
}
