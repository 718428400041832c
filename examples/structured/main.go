// Structured lets a model fill in a Go struct: go run ./examples/structured --model MODEL
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"

	"vllmgo/vllmgo"
)

type city struct {
	Name       string
	Country    string
	Population int
}

// schema is the JSON schema of city. It bounds the texts: a small model may not find their end by
// itself.
const schema = `{
	"type": "object",
	"properties": {
		"Name": {"type": "string", "maxLength": 20},
		"Country": {"type": "string", "maxLength": 20},
		"Population": {"type": "integer", "minimum": 0, "maximum": 99999999}
	},
	"required": ["Name", "Country", "Population"],
	"additionalProperties": false
}`

func main() {
	model := flag.String("model", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face `ID` or folder")
	flag.Parse()
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	params := vllmgo.Greedy(100)
	params.StructuredOutputs = &vllmgo.StructuredOutputs{JSON: json.RawMessage(schema)}
	g, err := llm.Generate(ctx, vllmgo.Texts("The capital of France as JSON:\n"), params)
	if err != nil {
		log.Print(err)
		return
	}
	var c city
	if err := json.Unmarshal([]byte(g.Outputs[0].Outputs[0].Text), &c); err != nil {
		log.Print(err)
		return
	}
	fmt.Printf("%+v\n", c)
}
