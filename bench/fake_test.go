package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vllmgo/vllmgo"
)

// fakeEngine does what it is asked, deterministically, unless a fault says otherwise. Its time for a batch
// is 10 ms for each output token and 10 µs for each token of all requests.
type fakeEngine struct {
	lab  *fakeLab
	args vllmgo.EngineArgs
}

// fakeLab opens fake engines, keeps account of what happens to them, and injects faults.
type fakeLab struct {
	events  []string    // "open 2048", "generate 4 128/64", "close 2048"
	passes  int         // calls of Generate so far
	shape   int         // prompts in the latest call
	ofShape map[int]int // calls so far, by number of prompts
	params  vllmgo.SamplingParams

	openErr  func(vllmgo.EngineArgs) error
	closeErr error
	// fault may change or replace what a call of Generate, counted from 1, returns.
	fault       func(pass int, g *vllmgo.Generation) error
	tokenizer   Tokenizer // of the engine; nil: it takes token IDs only
	completions int       // of each prompt; 0 means 1
	// block says whether a call of Generate waits for the end of its context.
	block func(context.Context) bool
	info  func(*vllmgo.Info)
	taken func(vllmgo.Prompt) // is told of each prompt that GenerateSeq takes
}

var errFake = errors.New("the fake engine broke")

func (l *fakeLab) open(ctx context.Context, args vllmgo.EngineArgs) (Engine, error) {
	l.events = append(l.events, fmt.Sprintf("open %d", args.MaxNumBatchedTokens))
	if l.openErr != nil {
		if err := l.openErr(args); err != nil {
			return nil, err
		}
	}
	return &fakeEngine{lab: l, args: args}, nil
}

func (e *fakeEngine) Generate(ctx context.Context, prompts []vllmgo.Prompt, params ...vllmgo.SamplingParams) (*vllmgo.Generation, error) {
	e.lab.passes++
	if e.lab.ofShape == nil {
		e.lab.ofShape = make(map[int]int)
	}
	e.lab.shape = len(prompts)
	e.lab.ofShape[e.lab.shape]++
	e.lab.params = params[0]
	if e.lab.block != nil && e.lab.block(ctx) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	outputLen := params[0].MaxTokens
	e.lab.events = append(e.lab.events, fmt.Sprintf("generate %d %d/%d", len(prompts), len(prompts[0].TokenIDs), outputLen))
	g := &vllmgo.Generation{}
	tokens := 0
	for i, p := range prompts {
		if p.TokenIDs == nil {
			p.TokenIDs, _ = e.lab.tokenizer.Encode(ctx, p.Text)
		}
		outputLen := params[min(i, len(params)-1)].MaxTokens
		tokens += len(p.TokenIDs) + outputLen
		g.Outputs = append(g.Outputs, vllmgo.RequestOutput{
			PromptTokenIDs:  append([]int32(nil), p.TokenIDs...),
			NumCachedTokens: 0,
			Outputs: slices.Repeat([]vllmgo.CompletionOutput{{TokenIDs: make([]int32, outputLen), FinishReason: "length"}},
				max(1, e.lab.completions)),
		})
	}
	g.Elapsed = time.Duration(outputLen)*10*time.Millisecond + time.Duration(tokens)*10*time.Microsecond
	if e.lab.fault != nil {
		if err := e.lab.fault(e.lab.passes, g); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (e *fakeEngine) Info() vllmgo.Info {
	info := vllmgo.Info{
		VLLMVersion: "0.32.0", TorchVersion: "2.13.0", PythonVersion: "3.12.1",
		Device: "cpu", DeviceName: "fake", EngineMode: vllmgo.InProcess,
		Model: e.args.Model, Dtype: "bfloat16", TensorParallelSize: 1, MaxModelLen: 2048,
		MaxNumSeqs: e.args.MaxNumSeqs, MaxNumBatchedTokens: e.args.MaxNumBatchedTokens,
		BlockSize: 128, KVCacheTokens: 1 << 20, LoadTime: time.Second,
	}
	if e.lab.info != nil {
		e.lab.info(&info)
	}
	return info
}

func (e *fakeEngine) Close() error {
	e.lab.events = append(e.lab.events, fmt.Sprintf("close %d", e.args.MaxNumBatchedTokens))
	return e.lab.closeErr
}

// opt125m is facebook/opt-125m in bfloat16.
func opt125m() vllmgo.ModelConfig {
	return vllmgo.ModelConfig{
		VocabSize: 50272, SpecialTokenIDs: []int32{1, 2}, MaxModelLen: 2048,
		NumLayers: 12, NumKVHeads: 12, HeadDim: 64, NumAttentionHeads: 12, Dtype: "bfloat16", DtypeBytes: 2,
	}
}
