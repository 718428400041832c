// Sequencelength measures how throughput depends on the length of prompts and outputs: 32, 64, 128,
// 256 and 512 tokens.
//
//	go run ./examples/sequencelength --model facebook/opt-125m
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"vllmgo/bench/report"
	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", vllm.DefaultModel, "a Hugging Face `ID` or a folder")
	preset := flag.String("preset", "", "full or quick (default quick on a CPU)")
	out := flag.String("out", filepath.Join("results", time.Now().Format("20060102T150405")), "results `folder`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := vllm.Run(ctx, vllm.Settings{
		Dir:        *out,
		EngineArgs: vllmgo.EngineArgs{Model: *model},
		Preset:     *preset,
		Sweeps:     []workload.Sweep{workload.SequenceLength},
		Command:    os.Args,
		Progress:   os.Stderr,
	})
	_, reportErr := report.Publish(*out, os.Stdout) // also of what was measured before Ctrl-C
	if err := errors.Join(err, reportErr); err != nil {
		log.Fatal(err)
	}
}
