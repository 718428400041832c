// Goroutines answers many callers with one engine, which works on all their prompts at once:
// go run ./examples/goroutines --model MODEL [--callers N]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"sync"
	"time"

	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face `ID` or folder")
	callers := flag.Int("callers", 16, "`number` of goroutines")
	flag.Parse()
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	start := time.Now()
	answers := make([]string, *callers)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			g, err := llm.Generate(ctx, vllmgo.Texts(fmt.Sprintf("%d plus one is", i)), vllmgo.Greedy(16))
			if err != nil {
				log.Print(err)
				return
			}
			answers[i] = g.Outputs[0].Outputs[0].Text
		})
	}
	group.Wait()
	for i, answer := range answers {
		fmt.Printf("%d plus one is%.30q\n", i, answer)
	}
	fmt.Printf("%d callers in %v\n", *callers, time.Since(start).Round(time.Millisecond))
}
