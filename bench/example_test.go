package bench_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"vllmgo/bench"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// steady is an engine that takes 1 ms for each token that it generates, if one believes it.
type steady struct{}

func (steady) Generate(
	_ context.Context, prompts []vllmgo.Prompt, params vllmgo.SamplingParams, _ ...vllmgo.CallOption,
) (*vllmgo.Generation, error) {
	g := &vllmgo.Generation{Elapsed: time.Duration(len(prompts)*params.MaxTokens) * time.Millisecond}
	for _, prompt := range prompts {
		g.Outputs = append(g.Outputs, vllmgo.RequestOutput{
			PromptTokenIDs: prompt.TokenIDs,
			Outputs: []vllmgo.CompletionOutput{
				{TokenIDs: make([]int32, params.MaxTokens), FinishReason: "length"},
			},
		})
	}
	return g, nil
}

func (steady) Info() vllmgo.Info { return vllmgo.Info{MaxModelLen: 1024, KVCacheTokens: 1 << 20} }

func (steady) Close() error { return nil }

// Run measures anything that implements Engine. Package bench/vllm gives it vLLM.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "run-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	study, err := workload.NewStudy("mine", workload.Point{InputLen: 16, OutputLen: 8},
		workload.Axis{Name: "requests", Values: []any{1, 4}})
	if err != nil {
		log.Fatal(err)
	}
	vocabulary, err := workload.NewVocabulary(1000, nil)
	if err != nil {
		log.Fatal(err)
	}
	err = bench.Run(context.Background(), bench.Settings{
		Dir: dir, Studies: []workload.Study{study}, Stopping: stat.FixedTrials(6),
		Requests: workload.Requests{Vocabulary: vocabulary}, EngineArgs: vllmgo.EngineArgs{Model: "steady"},
		Open: func(context.Context, vllmgo.EngineArgs) (bench.Engine, error) { return steady{}, nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	results, err := report.Read(dir)
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range results.Studies[0].Rows {
		fmt.Printf("%s: %.0f generated tok/s, %d trials\n", row.Point, row.GeneratedPerSecond, len(row.Trials))
	}
	// Output:
	// requests=1: 1000 generated tok/s, 6 trials
	// requests=4: 1000 generated tok/s, 6 trials
}
