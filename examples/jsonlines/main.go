// Jsonlines completes any number of prompts, of which it holds few at a time. It reads them as JSON strings from standard input,
// and writes an object with index and text for each when it ends:
// go run ./examples/jsonlines -model MODEL <prompts.jsonl >outputs.jsonl
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"iter"
	"log"
	"os"

	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face `ID` or folder")
	tokens := flag.Int("max-tokens", 16, "most `tokens` of an output")
	flag.Parse()
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	encoder := json.NewEncoder(os.Stdout)
	params := vllmgo.SamplingParams{Temperature: new(0.0), MaxTokens: *tokens}
	for output, err := range llm.GenerateSeq(ctx, prompts(os.Stdin, params)) {
		if err != nil {
			log.Printf("prompt %d: %v", output.Index, err)
			continue
		}
		line := struct {
			Index int    `json:"index"`
			Text  string `json:"text"`
		}{output.Index, output.Outputs[0].Text}
		if err := encoder.Encode(line); err != nil {
			log.Print(err)
			return
		}
	}
}

// prompts are the strings of a file, read when they are needed.
func prompts(file io.Reader, params vllmgo.SamplingParams) iter.Seq2[vllmgo.Prompt, vllmgo.SamplingParams] {
	return func(yield func(vllmgo.Prompt, vllmgo.SamplingParams) bool) {
		decoder := json.NewDecoder(file)
		for {
			var text string
			err := decoder.Decode(&text)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				log.Print("reading the prompts: ", err)
				return
			}
			if !yield(vllmgo.Prompt{Text: text}, params) {
				return
			}
		}
	}
}
