// Jsonlines completes any number of prompts and holds few of them at a time. It reads JSON strings
// from standard input, and writes an object with an index and a text for each. Its exit status is 1
// if one failed: go run ./examples/jsonlines --model MODEL <prompts.jsonl >outputs.jsonl
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
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
	err = complete(ctx, llm, os.Stdin, os.Stdout, vllmgo.Greedy(*tokens))
	if err = errors.Join(err, llm.Close()); err != nil {
		log.Fatal(err)
	}
}

// complete completes the prompts of in. It goes on after prompts that fail; the error counts them.
func complete(ctx context.Context, llm *vllmgo.LLM, in io.Reader, out io.Writer, params vllmgo.SamplingParams) error {
	var readErr error
	prompts := func(yield func(vllmgo.Prompt) bool) {
		for decoder := json.NewDecoder(in); ; {
			var text string
			switch err := decoder.Decode(&text); {
			case err == io.EOF:
				return
			case err != nil:
				readErr = fmt.Errorf("reading the prompts: %w", err)
				return
			case !yield(vllmgo.Prompt{Text: text}):
				return
			}
		}
	}
	encoder, failed := json.NewEncoder(out), 0
	for output, err := range llm.GenerateSeq(ctx, prompts, params) {
		if err != nil {
			log.Printf("prompt %d: %v", output.Index, err)
			failed++
			continue
		}
		line := struct {
			Index int    `json:"index"`
			Text  string `json:"text"`
		}{output.Index, output.Outputs[0].Text}
		if err := encoder.Encode(line); err != nil {
			return fmt.Errorf("writing an output: %w", err)
		}
	}
	if failed > 0 {
		return errors.Join(readErr, fmt.Errorf("%d prompts failed", failed))
	}
	return readErr
}
