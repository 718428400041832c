// Logprobs shows how sure a model is of each token: go run ./examples/logprobs --model MODEL
// [PROMPT]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"strings"

	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face `ID` or folder")
	flag.Parse()
	prompt := strings.Join(flag.Args(), " ")
	if prompt == "" {
		prompt = "The capital of France is"
	}
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	params := vllmgo.Greedy(4)
	params.Logprobs = new(3)
	g, err := llm.Generate(ctx, vllmgo.Texts(prompt), params)
	if err != nil {
		log.Print(err)
		return
	}
	for _, candidates := range g.Outputs[0].Outputs[0].Logprobs {
		for _, candidate := range candidates { // the chosen one comes first
			fmt.Printf("%6.1f %% %-12q", 100*math.Exp(candidate.Logprob), candidate.Token)
		}
		fmt.Println()
	}
}
