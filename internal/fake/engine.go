// Package fake has engines and tokenizers for tests. It depends on package vllmgo alone, so that
// all other packages can test with it.
package fake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"vllmgo/vllmgo"
)

// Nth calls f in the n-th call of Generate with so many prompts.
func Nth(lab *Lab, prompts, n int, f func(*vllmgo.Generation) error) {
	before := lab.Fault
	lab.Fault = func(pass int, g *vllmgo.Generation) error {
		if lab.Shape == prompts && lab.OfShape[prompts] == n {
			if err := f(g); err != nil {
				return err
			}
		}
		if before != nil {
			return before(pass, g)
		}
		return nil
	}
}

// Broken breaks a generation.
func Broken(*vllmgo.Generation) error { return Err }

// Engine does what it is asked, deterministically, unless a fault says otherwise. Its time for a
// batch is 10 ms for each output token and 10 µs for each token of all requests.
type Engine struct {
	Lab  *Lab
	args vllmgo.EngineArgs
}

// Lab opens fake engines, keeps account of what happens to them, and injects faults.
type Lab struct {
	Events  []string    // "open 2048", "generate 4 128/64", "close 2048"
	Passes  int         // calls of Generate so far
	Shape   int         // prompts in the latest call
	OfShape map[int]int // calls so far, by number of prompts
	Params  vllmgo.SamplingParams

	OpenErr  func(vllmgo.EngineArgs) error
	CloseErr error
	// Fault may change or replace what a call of Generate, counted from 1, returns.
	Fault func(pass int, g *vllmgo.Generation) error
	// Tokenizer is the engine's; nil: it takes token IDs only.
	Tokenizer interface {
		Encode(ctx context.Context, text string) ([]int32, error)
	}
	Completions int // of each prompt; 0 means 1
	// Block is true when a call of Generate waits for the end of its context.
	Block func(context.Context) bool
	Info  func(*vllmgo.Info)
	Taken func(vllmgo.Prompt) // is told of each prompt that GenerateSeq takes
}

// Err is the error of a fake engine that broke.
var Err = errors.New("the fake engine broke")

// Opener returns the function that opens the lab's engines as values of a type that *fakeEngine
// has.
func Opener[E any](l *Lab) func(context.Context, vllmgo.EngineArgs) (E, error) {
	return func(ctx context.Context, args vllmgo.EngineArgs) (e E, err error) {
		engine, err := l.Open(ctx, args)
		if err == nil {
			e = any(engine).(E)
		}
		return e, err
	}
}

// Open opens an engine.
func (l *Lab) Open(ctx context.Context, args vllmgo.EngineArgs) (*Engine, error) {
	l.Events = append(l.Events, fmt.Sprintf("open %d", args.MaxNumBatchedTokens))
	if l.OpenErr != nil {
		if err := l.OpenErr(args); err != nil {
			return nil, err
		}
	}
	return &Engine{Lab: l, args: args}, nil
}

// Generate completes prompts as the lab is set up.
func (e *Engine) Generate(
	ctx context.Context,
	prompts []vllmgo.Prompt,
	params vllmgo.SamplingParams,
	_ ...vllmgo.CallOption,
) (*vllmgo.Generation, error) {
	e.Lab.Passes++
	if e.Lab.OfShape == nil {
		e.Lab.OfShape = make(map[int]int)
	}
	e.Lab.Shape = len(prompts)
	e.Lab.OfShape[e.Lab.Shape]++
	e.Lab.Params = params
	if e.Lab.Block != nil && e.Lab.Block(ctx) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	outputLen := params.MaxTokens
	e.Lab.Events = append(
		e.Lab.Events,
		fmt.Sprintf("generate %d %d/%d", len(prompts), len(prompts[0].TokenIDs), outputLen),
	)
	g := &vllmgo.Generation{}
	tokens := 0
	for _, p := range prompts {
		if p.TokenIDs == nil {
			p.TokenIDs, _ = e.Lab.Tokenizer.Encode(ctx, p.Text)
		}
		outputLen := outputLen
		if p.Params != nil {
			outputLen = p.Params.MaxTokens
		}
		tokens += len(p.TokenIDs) + outputLen
		g.Outputs = append(g.Outputs, vllmgo.RequestOutput{
			PromptTokenIDs:  append([]int32(nil), p.TokenIDs...),
			NumCachedTokens: 0,
			Outputs: slices.Repeat([]vllmgo.CompletionOutput{{TokenIDs: make([]int32, outputLen), FinishReason: "length"}},
				max(1, e.Lab.Completions)),
		})
	}
	g.Elapsed = time.Duration(outputLen)*10*time.Millisecond + time.Duration(tokens)*10*time.Microsecond
	if e.Lab.Fault != nil {
		if err := e.Lab.Fault(e.Lab.Passes, g); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Info describes the engine.
func (e *Engine) Info() vllmgo.Info {
	info := vllmgo.Info{
		VLLMVersion: "0.32.0", TorchVersion: "2.13.0", PythonVersion: "3.12.1",
		Device: "cpu", DeviceName: "fake", EngineMode: vllmgo.InProcess,
		Model: e.args.Model, Dtype: "bfloat16", TensorParallelSize: 1, MaxModelLen: 2048,
		MaxNumSeqs: e.args.MaxNumSeqs, MaxNumBatchedTokens: e.args.MaxNumBatchedTokens,
		BlockSize: 128, KVCacheTokens: 1 << 20, LoadTime: time.Second,
	}
	if e.Lab.Info != nil {
		e.Lab.Info(&info)
	}
	return info
}

// Close closes the engine.
func (e *Engine) Close() error {
	e.Lab.Events = append(e.Lab.Events, fmt.Sprintf("close %d", e.args.MaxNumBatchedTokens))
	return e.Lab.CloseErr
}

// OPT125M is facebook/opt-125m in bfloat16.
func OPT125M() vllmgo.ModelConfig {
	return vllmgo.ModelConfig{
		VocabSize: 50272, SpecialTokenIDs: []int32{1, 2}, MaxModelLen: 2048,
		NumLayers: 12, NumKVHeads: 12, HeadDim: 64, NumAttentionHeads: 12, Dtype: "bfloat16", DtypeBytes: 2,
	}
}

// GenerateSeq holds as many requests as vllmgo does, and ends them in an order of its own: the
// latest of those that it holds first, then the earliest.
func (e *Engine) GenerateSeq(
	ctx context.Context,
	prompts iter.Seq[vllmgo.Prompt],
	params vllmgo.SamplingParams,
	_ ...vllmgo.CallOption,
) iter.Seq2[vllmgo.SeqOutput, error] {
	type held struct {
		index  int
		prompt vllmgo.Prompt
	}
	return func(yield func(vllmgo.SeqOutput, error) bool) {
		next, stop := iter.Pull(prompts)
		defer stop()
		var holds []held
		for index, more := 0, true; ; {
			for more && len(holds) < 2*e.args.MaxNumSeqs {
				h := held{index: index}
				if h.prompt, more = next(); more {
					if e.Lab.Taken != nil {
						e.Lab.Taken(h.prompt)
					}
					holds = append(holds, h)
					index++
				}
			}
			if len(holds) == 0 {
				return
			}
			h := holds[0]
			if index%2 == 0 {
				h, holds = holds[len(holds)-1], holds[:len(holds)-1]
			} else {
				holds = append(holds[:0], holds[1:]...)
			}
			output := vllmgo.SeqOutput{Index: h.index}
			g, err := e.Generate(ctx, []vllmgo.Prompt{h.prompt}, params)
			if err == nil {
				output.RequestOutput = g.Outputs[0]
			}
			e.Lab.Events = nil
			if !yield(output, err) {
				return
			}
		}
	}
}
