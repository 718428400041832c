// Quickstart completes a prompt with a model: go run ./examples/quickstart -model MODEL [PROMPT]
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
	model := flag.String("model", "facebook/opt-125m", "Hugging Face model ID or folder")
	flag.Parse()
	prompt := "The capital of France is"
	if flag.NArg() > 0 {
		prompt = strings.Join(flag.Args(), " ")
	}

	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()

	generation, err := llm.Generate(ctx, vllmgo.Texts(prompt),
		vllmgo.SamplingParams{Temperature: new(0.0), MaxTokens: 32})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(prompt + generation.Outputs[0].Outputs[0].Text)
}
