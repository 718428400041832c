// Tensorparallel splits each layer over several devices (on a CPU: cores):
// go run ./examples/tensorparallel --model MODEL [--tensor-parallel-size N] [PROMPT]
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
	model := flag.String("model", "facebook/opt-125m", "Hugging Face `ID` or folder")
	size := flag.Int("tensor-parallel-size", 2, "`devices`; they must divide the model's attention heads")
	loadFormat := flag.String("load-format", "auto", "dummy fills the weights at random")
	flag.Parse()
	prompt := strings.Join(flag.Args(), " ")
	if prompt == "" {
		prompt = "The capital of France is"
	}
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{
		Model: *model, TensorParallelSize: *size, LoadFormat: *loadFormat, GPUMemoryUtilization: 0.5, EnforceEager: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	g, err := llm.Generate(ctx, vllmgo.Texts(prompt), vllmgo.Greedy(16))
	if err != nil {
		log.Print(err)
		return
	}
	info := llm.Info()
	fmt.Printf(
		"%s on %d × %s:\n%s%s\n",
		info.Model,
		info.TensorParallelSize,
		info.DeviceName,
		prompt,
		g.Outputs[0].Outputs[0].Text,
	)
}
