// Replicas divides prompts among several engines, each with a copy of the model:
// go run ./examples/replicas --model MODEL [--data-parallel-size N] [--prompts N]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", "facebook/opt-125m", "Hugging Face `ID` or folder")
	size := flag.Int("data-parallel-size", 2, "`engines`; they share the GPUs or, on a CPU, the cores")
	count := flag.Int("prompts", 64, "`number` of prompts")
	flag.Parse()
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{
		Model: *model, DataParallelSize: *size, GPUMemoryUtilization: 0.5, EnforceEager: true,
		DisableLogStats: new(false),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	prompts := make([]vllmgo.Prompt, *count)
	for i := range prompts {
		prompts[i].Text = fmt.Sprintf("%d plus one is", i)
	}
	g, err := llm.Generate(ctx, prompts, vllmgo.Greedy(16))
	if err != nil {
		log.Print(err)
		return
	}
	for i, output := range g.Outputs[:min(3, len(g.Outputs))] {
		fmt.Printf("%s%.30q\n", prompts[i].Text, output.Outputs[0].Text)
	}
	m, err := llm.Metrics(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Printf("%d prompts on %d engines, placed on %q: %.0f generated tok/s\n",
		len(prompts), m.Replicas, llm.Info().Placement, float64(m.GenerationTokens)/g.Elapsed.Seconds())
}
