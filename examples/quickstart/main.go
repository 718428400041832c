// Quickstart completes a prompt: go run ./examples/quickstart --model MODEL [PROMPT]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"

	"vllmgo/vllmgo"
)

func main() {
	args := vllmgo.EngineArgs{EnforceEager: true} // starts sooner; long runs are faster without it
	flag.StringVar(&args.Model, "model", "facebook/opt-125m", "Hugging Face `ID` or folder")
	flag.IntVar(&args.TensorParallelSize, "tensor-parallel-size", 1, "`devices` to split each layer over")
	flag.Float64Var(&args.GPUMemoryUtilization, "gpu-memory-utilization", 0.5, "`fraction` of the memory to use")
	flag.StringVar(&args.Dtype, "dtype", "auto", "`type` of weights and activations")
	flag.Parse()
	prompt := strings.Join(flag.Args(), " ")
	if prompt == "" {
		prompt = "The capital of France is"
	}
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, args)
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	g, err := llm.Generate(ctx, vllmgo.Texts(prompt), vllmgo.Greedy(32))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(prompt + g.Outputs[0].Outputs[0].Text)
}
