// Streaming prints a completion as it is generated: go run ./examples/streaming --model MODEL
// [PROMPT]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face `ID` or folder")
	flag.Parse()
	prompt := strings.Join(flag.Args(), " ")
	if prompt == "" {
		prompt = "Once upon a time"
	}
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{
		// The times below need statistics.
		Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true, DisableLogStats: new(false),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	fmt.Print(prompt)
	tokens := 0
	params := vllmgo.SamplingParams{MaxTokens: 64, Seed: new(1)}
	for delta, err := range llm.Stream(ctx, vllmgo.Prompt{Text: prompt}, params) {
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Print(delta.Text)
		tokens += len(delta.TokenIDs)
		if delta.Request != nil { // the last one
			m := delta.Request.Metrics
			fmt.Fprintf(
				os.Stderr,
				"\n%d tokens: TTFT %v, TPOT %v, E2E latency %v\n",
				tokens,
				m.TTFT,
				m.TPOT(tokens),
				m.E2ELatency,
			)
		}
	}
	fmt.Println()
}
