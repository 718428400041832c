// Cancel gives a completion a time limit, and uses the engine again: go run ./examples/cancel
// --model MODEL
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face `ID` or folder")
	limit := flag.Duration("limit", time.Second, "`time` for the first completion")
	flag.Parse()
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	limited, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	forever := vllmgo.SamplingParams{MaxTokens: vllmgo.Unlimited, IgnoreEOS: true}
	tokens := 0
	for delta, err := range llm.Stream(limited, vllmgo.Prompt{Text: "The numbers are 1, 2, 3,"}, forever) {
		if errors.Is(err, context.DeadlineExceeded) {
			fmt.Println("stopped:", err)
		} else if err != nil {
			log.Print(err)
			return
		}
		tokens += len(delta.TokenIDs)
	}
	fmt.Println("some tokens came before:", tokens > 0)
	g, err := llm.Generate(ctx, vllmgo.Texts("The capital of France is"), vllmgo.Greedy(2))
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println("The capital of France is" + g.Outputs[0].Outputs[0].Text)
}
