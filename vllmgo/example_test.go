package vllmgo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"os"
	"slices"
	"sync"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// llm is the engine of the examples. Examples run after the tests.
var llm *vllmgo.LLM

var openForExamples = sync.OnceFunc(func() {
	args := vllmgo.EngineArgs{Model: model(), EnforceEager: true, MaxModelLen: 512}
	var err error
	if llm, err = vllmgo.New(context.Background(), args); err != nil {
		log.Fatal(err)
	}
})

// closeExamples closes the engine of the examples.
func closeExamples() error {
	if llm == nil {
		return nil
	}
	return llm.Close()
}

// model is the folder of SmolLM2-135M-Instruct.
func model() string {
	dir, err := testenv.FindSmolLM2()
	if err != nil {
		log.Fatal(err)
	}
	return dir
}

func Example() {
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{
		Model:        model(), // a folder, or a name such as "HuggingFaceTB/SmolLM2-135M-Instruct"
		MaxModelLen:  512,
		EnforceEager: true, // starts sooner; long runs are faster without it
	})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	g, err := llm.Generate(ctx, vllmgo.Texts("The capital of France is"), vllmgo.Greedy(2))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Outputs[0].Outputs[0].Text)
	// Output: Paris.
}

// A prompt can have its own parameters. The others use those of the call.
func ExampleLLM_Generate() {
	openForExamples()
	short := vllmgo.Greedy(1)
	prompts := []vllmgo.Prompt{
		{Text: "The capital of France is", Params: &short},
		{Text: "The capital of France is"},
	}
	g, err := llm.Generate(context.Background(), prompts, vllmgo.Greedy(2))
	if err != nil {
		log.Fatal(err)
	}
	for _, output := range g.Outputs {
		fmt.Printf("%q\n", output.Outputs[0].Text)
	}
	// Output:
	// " Paris"
	// " Paris."
}

// A chat is a prompt too: the model's template turns it into text.
func ExampleChats() {
	openForExamples()
	chat := vllmgo.Chat{Messages: []vllmgo.Message{
		{Role: "system", Content: "You answer in one short sentence."},
		{Role: "user", Content: "What is the capital of France?"},
	}}
	g, err := llm.Generate(context.Background(), vllmgo.Chats(chat), vllmgo.Greedy(32))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Outputs[0].Outputs[0].FinishReason)
	// Output: stop
}

func ExampleLLM_Stream() {
	openForExamples()
	prompt := vllmgo.Prompt{Text: "The capital of France is"}
	for delta, err := range llm.Stream(context.Background(), prompt, vllmgo.Greedy(2)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(delta.Text)
	}
	fmt.Println()
	// Output: Paris.
}

// GenerateSeq takes prompts from a sequence, such as the lines of a file, and holds few of them at
// a time.
func ExampleLLM_GenerateSeq() {
	openForExamples()
	prompts := slices.Values(vllmgo.Texts("The capital of France is", "", "The capital of France is"))
	outputs := map[int]string{}
	for output, err := range llm.GenerateSeq(context.Background(), prompts, vllmgo.Greedy(1)) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		outputs[output.Index] = output.Outputs[0].Text
	}
	fmt.Println(outputs)
	// Output:
	// vllmgo: prompt 1 is empty
	// map[0: Paris 2: Paris]
}

func ExampleOnProgress() {
	openForExamples()
	var last vllmgo.Progress
	params := vllmgo.Greedy(8)
	params.IgnoreEOS = true
	_, err := llm.Generate(context.Background(), vllmgo.Texts("One", "Two"), params,
		vllmgo.OnProgress(func(p vllmgo.Progress) { last = p }))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(last.FinishedRequests, last.Requests, last.GeneratedTokens, last.MaxTokens)
	// Output: 2 2 16 16
}

func ExampleLLM_DefaultSamplingParams() {
	openForExamples()
	params := llm.DefaultSamplingParams() // what the model's authors recommend
	params.MaxTokens = 4
	params.IgnoreEOS = true
	g, err := llm.Generate(context.Background(), vllmgo.Texts("Once upon a time"), params)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(g.Outputs[0].Outputs[0].TokenIDs))
	// Output: 4
}

func ExampleStructuredOutputs() {
	openForExamples()
	params := vllmgo.Greedy(60)
	params.StructuredOutputs = &vllmgo.StructuredOutputs{JSON: json.RawMessage(`{
		"type": "object",
		"properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
		"required": ["name", "age"],
		"additionalProperties": false
	}`)}
	g, err := llm.Generate(context.Background(), vllmgo.Texts("A person in JSON:"), params)
	if err != nil {
		log.Fatal(err)
	}
	var person struct {
		Name string
		Age  int
	}
	err = json.Unmarshal([]byte(g.Outputs[0].Outputs[0].Text), &person)
	fmt.Println(err, person.Name != "")
	// Output: <nil> true
}

func ExampleSchemaOf() {
	type city struct {
		Zip string `json:"zip"`
	}
	schema, err := vllmgo.SchemaOf[city]()
	if err != nil {
		log.Fatal(err)
	}
	params := vllmgo.Greedy(60)
	params.StructuredOutputs = &vllmgo.StructuredOutputs{JSON: schema}
	fmt.Printf("%s\n", schema)
	// Output:
	// {"type":"object","properties":{"zip":{"type":"string"}},"required":["zip"],"additionalProperties":false}
}

func ExampleLLM_Tokenizer() {
	openForExamples()
	ctx := context.Background()
	tokenizer, err := llm.Tokenizer(ctx)
	if err != nil {
		log.Fatal(err)
	}
	ids, err := tokenizer.Encode(ctx, "The capital of France is")
	if err != nil {
		log.Fatal(err)
	}
	text, err := tokenizer.Decode(ctx, ids)
	fmt.Println(len(ids), text, err)
	// Output: 5 The capital of France is <nil>
}

func ExampleSetLogger() {
	vllmgo.SetLogger(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	defer vllmgo.SetLogger(nil)
}
