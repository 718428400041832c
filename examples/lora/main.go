// Lora completes a prompt with a model and with a LoRA adapter on it, in one batch:
// go run ./examples/lora --model MODEL --adapter FOLDER [PROMPT]
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
	model := flag.String("model", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face `ID` or folder")
	adapter := flag.String("adapter", "", "`folder` with adapter_config.json and the adapter's weights")
	flag.Parse()
	prompt := strings.Join(flag.Args(), " ")
	if prompt == "" {
		prompt = "Once upon a time"
	}
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{
		Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true, EnableLoRA: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	g, err := llm.Generate(ctx, []vllmgo.Prompt{
		{Text: prompt},
		{Text: prompt, LoRA: &vllmgo.LoRA{Name: "adapter", Path: *adapter}},
	}, vllmgo.Greedy(16))
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Printf("model:   %q\n", g.Outputs[0].Outputs[0].Text)
	fmt.Printf("adapter: %q\n", g.Outputs[1].Outputs[0].Text)
}
