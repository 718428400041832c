package vllmgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"vllmgo/pyembed"
)

// Generate completes prompts with one call of vLLM's LLM.generate, which batches them. params are the sampling
// parameters: none (the model's defaults), one for all prompts, or one for each.
//
// Prompts that the model cannot take are errors, and none of the prompts runs. When ctx ends, the engine drops the
// requests after the step that it is in, and Generate returns an error that wraps ctx's; the LLM can be used
// as before. Concurrent calls take turns.
func (l *LLM) Generate(ctx context.Context, prompts []Prompt, params ...SamplingParams) (*Generation, error) {
	input, err := pack(prompts, params, l.info.MaxModelLen)
	if err != nil {
		return nil, err
	}
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	var output packedOutput
	err = l.interruptible(ctx, func(py *pyembed.Py) error {
		o, err := l.engine.CallMethod(py, "generate", input.lengths, input.tokenIDs, input.texts, input.params)
		if err != nil {
			return err
		}
		defer o.Release(py)
		return py.Into(o, &output)
	})
	if err != nil {
		return nil, err
	}
	return output.unpack(), nil
}

// packedInput is what bridge.py's generate takes.
type packedInput struct {
	// lengths and tokenIDs are int32 in the machine's byte order; length 0 stands for the next of texts.
	lengths, tokenIDs []byte
	texts             []string
	params            string
}

// pack checks the input and packs it for one crossing.
func pack(prompts []Prompt, params []SamplingParams, maxModelLen int) (packedInput, error) {
	if len(prompts) == 0 {
		return packedInput{}, errors.New("vllmgo: there are no prompts")
	}
	if len(params) > 1 && len(params) != len(prompts) {
		return packedInput{}, fmt.Errorf("vllmgo: %d prompts and %d SamplingParams: give none, one for all, or one for each",
			len(prompts), len(params))
	}
	lengths := make([]int32, len(prompts))
	var tokenIDs []int32
	texts := []string{}
	for i, prompt := range prompts {
		n := len(prompt.TokenIDs)
		switch {
		case n == 0 && prompt.Text == "":
			return packedInput{}, fmt.Errorf("vllmgo: prompt %d is empty", i)
		case n == 0:
			texts = append(texts, prompt.Text)
		case n >= maxModelLen:
			return packedInput{}, fmt.Errorf("vllmgo: prompt %d has %d tokens; the engine takes %d, prompt and output "+
				"together (max_model_len): shorten it or raise MaxModelLen", i, n, maxModelLen)
		}
		lengths[i] = int32(n)
		tokenIDs = append(tokenIDs, prompt.TokenIDs...)
	}
	if params == nil {
		params = []SamplingParams{}
	}
	encoded, err := json.Marshal(params)
	if err != nil {
		return packedInput{}, fmt.Errorf("vllmgo: SamplingParams: %w", err)
	}
	return packedInput{bytesOf(lengths), bytesOf(tokenIDs), texts, string(encoded)}, nil
}

// packedOutput is what bridge.py's pack returns. The byte slices are int32 in the machine's byte order.
type packedOutput struct {
	PromptLengths, PromptIDs  []byte
	Cached                    []byte
	Completions, Lengths, IDs []byte
	Texts, Reasons, Stops     []string
	ElapsedNs                 int64
}

func (p *packedOutput) unpack() *Generation {
	promptLengths, promptIDs := int32sOf(p.PromptLengths), int32sOf(p.PromptIDs)
	lengths, ids := int32sOf(p.Lengths), int32sOf(p.IDs)
	cached, completions := int32sOf(p.Cached), int32sOf(p.Completions)
	g := &Generation{Outputs: make([]RequestOutput, len(promptLengths)), Elapsed: time.Duration(p.ElapsedNs)}
	next := 0
	for i := range g.Outputs {
		output := &g.Outputs[i]
		output.PromptTokenIDs, promptIDs = split(promptIDs, promptLengths[i])
		output.NumCachedTokens = int(cached[i])
		output.Outputs = make([]CompletionOutput, completions[i])
		for j := range output.Outputs {
			completion := CompletionOutput{Text: p.Texts[next], FinishReason: p.Reasons[next], StopReason: p.Stops[next]}
			completion.TokenIDs, ids = split(ids, lengths[next])
			output.Outputs[j] = completion
			next++
		}
	}
	return g
}

// split cuts the first n values off.
func split(values []int32, n int32) (head, tail []int32) { return values[:n:n], values[n:] }

func bytesOf(values []int32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

func int32sOf(b []byte) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}
