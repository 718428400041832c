// Study measures a study of your own: how throughput and latency depend on the number of requests
// that are submitted at once. Started again with the same folder, it goes on where it was stopped.
//
//	go run ./examples/study --model facebook/opt-125m
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"

	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", vllm.DefaultModel, "a Hugging Face `ID` or a folder")
	out := flag.String("out", "results/study", "results `folder`")
	flag.Parse()

	study, err := workload.NewStudy("concurrency", workload.Point{InputLen: 32, OutputLen: 16},
		workload.Axis{Name: "requests", Values: []any{4, 16}})
	if err != nil {
		log.Fatal(err)
	}
	err = vllm.Run(context.Background(), vllm.Settings{
		Dir: *out, Resume: true, EngineArgs: vllmgo.EngineArgs{Model: *model}, Studies: []workload.Study{study},
		Stopping: stat.FixedTrials(6), Latency: true, Progress: os.Stderr,
	})
	if err != nil {
		log.Fatal(err)
	}
	results, err := report.Read(*out)
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range results.Studies[0].Rows {
		fmt.Printf("%s: %.0f generated tok/s, TTFT p50 %v, %.0f %% of the speed of light\n",
			row.Point, row.GeneratedPerSecond, row.Latency.TTFT.P50, 100*row.Light.Share)
	}
}
