package vllm_test

import (
	"context"
	"fmt"
	"log"

	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// A Library measures on something else than vLLM's engines. Here it only says which machine this
// would be.
func ExamplePrepare() {
	machine := vllm.Library{
		DetectDevice: func(context.Context) (string, error) { return "cuda", nil },
		FindModel:    func(context.Context, string) error { return nil },
		LoadConfig: func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error) {
			return vllmgo.ModelConfig{VocabSize: 1000}, nil
		},
		LoadTokenizer: func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error) {
			return nil, fmt.Errorf("the model has none")
		},
	}
	settings, cleanup, err := vllm.Prepare(context.Background(), vllm.Settings{
		Dir: "results/now", EngineArgs: vllmgo.EngineArgs{Model: "my/model"}, Library: machine,
	})
	defer cleanup()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(settings.Preset, settings.EngineArgs.GPUMemoryUtilization, settings.Requests.Vocabulary.Size())
	fmt.Println(settings.Stopping)
	// Output:
	// full 0.9 1000
	// 6 to 50 trials a point, until the 95 % interval is within 2 % of the median or 30m0s are spent
}
