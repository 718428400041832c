// Chat asks a model a question as a user would: go run ./examples/chat --model MODEL [QUESTION]
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
	flag.Parse()
	question := strings.Join(flag.Args(), " ")
	if question == "" {
		question = "What is the capital of France?"
	}
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	chat := vllmgo.Chat{Messages: []vllmgo.Message{
		{Role: "system", Content: "You answer in one short sentence."},
		{Role: "user", Content: question},
	}}
	g, err := llm.Generate(ctx, vllmgo.Chats(chat), vllmgo.Greedy(64))
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(g.Outputs[0].Outputs[0].Text)
}
