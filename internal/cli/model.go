package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/shirou/gopsutil/v4/cpu"

	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// opt125mConfig is the configuration file of facebook/opt-125m.
//
//go:embed opt-125m.json
var opt125mConfig []byte

// llama8B is the name of a model that is only a shape: Llama 3.1 8B's, with random weights.
const llama8B = "llama-8b"

// llama8BConfig is the configuration file of meta-llama/Llama-3.1-8B.
//
//go:embed llama-8b.json
var llama8BConfig []byte

// model is a model to measure.
type model struct {
	args          vllmgo.EngineArgs
	randomWeights bool
	cleanup       func() // removes what was made for it
}

// chooseModel finds a model. When the default model is neither here nor on the hub, its embedded
// configuration with random weights stands in: it computes as much for each token. llama-8b always has random weights.
// Any other model that is missing is an error.
func chooseModel(ctx context.Context, name string, stderr io.Writer, lib library) (model, error) {
	if name == llama8B {
		return randomModel(name, llama8BConfig)
	}
	err := lib.findModel(ctx, name)
	if err == nil {
		return model{args: vllmgo.EngineArgs{Model: name}, cleanup: func() {}}, nil
	}
	if name != defaultModel || !errors.Is(err, vllmgo.ErrModelNotFound) {
		return model{}, err
	}
	fmt.Fprintf(stderr, "%s is neither in the local cache nor to be had from the hub: measuring its shape with random weights\n", name)
	return randomModel(name, opt125mConfig)
}

// randomModel is a model with random weights of which there is the configuration file alone.
func randomModel(name string, config []byte) (model, error) {
	dir, err := os.MkdirTemp("", "vllmgo-"+filepath.Base(name)+"-")
	if err != nil {
		return model{}, err
	}
	cleanup := func() { os.RemoveAll(dir) }
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
		cleanup()
		return model{}, err
	}
	return model{
		args:          vllmgo.EngineArgs{Model: dir, LoadFormat: "dummy", SkipTokenizerInit: true},
		randomWeights: true,
		cleanup:       cleanup,
	}, nil
}

// chooseVocabulary takes the token IDs that both the tokenizer and the model know, without the special IDs of
// either. For a model that has no tokenizer it takes the configuration's, tells the engine to load none, and returns
// none.
func chooseVocabulary(ctx context.Context, args *vllmgo.EngineArgs, config vllmgo.ModelConfig, stderr io.Writer, lib library) (workload.Vocabulary, workload.Tokenizer, error) {
	if args.SkipTokenizerInit {
		v, err := workload.NewVocabulary(config.VocabSize, config.SpecialTokenIDs)
		return v, nil, err
	}
	tokenizer, err := lib.loadTokenizer(ctx, *args)
	if err != nil && ctx.Err() != nil {
		return workload.Vocabulary{}, nil, err
	}
	if err != nil {
		fmt.Fprintf(stderr, "no tokenizer (%v): token IDs come from the model's configuration\n", err)
		args.SkipTokenizerInit = true
		v, err := workload.NewVocabulary(config.VocabSize, config.SpecialTokenIDs)
		return v, nil, err
	}
	v, err := workload.NewVocabulary(min(tokenizer.VocabSize(), config.VocabSize),
		slices.Concat(tokenizer.SpecialTokenIDs(), config.SpecialTokenIDs))
	return v, tokenizer, err
}

// hasFloat16 says whether the processor has float16 arithmetic: AVX512-FP16 on x86-64, FEAT_FP16 on 64-bit Arm.
// Without it, vLLM computes float16 more than ten times slower than bfloat16.
func hasFloat16() bool {
	cpus, err := cpu.Info()
	return err == nil && len(cpus) > 0 &&
		(slices.Contains(cpus[0].Flags, "avx512_fp16") || slices.Contains(cpus[0].Flags, "asimdhp"))
}
