package vllmgo

import (
	"context"
	"errors"
	"fmt"
)

// PoolingTask is what a pooling model is asked for, under vLLM's names.
type PoolingTask string

const (
	// Embed returns a vector for each prompt.
	Embed PoolingTask = "embed"
	// Classify returns the probability of each class, or a reward, for each prompt.
	Classify PoolingTask = "classify"
	// TokenEmbed returns a vector for each token of each prompt.
	TokenEmbed PoolingTask = "token_embed"
	// TokenClassify returns the probability of each class, or a reward, for each token of each
	// prompt.
	TokenClassify PoolingTask = "token_classify"
)

// PoolingParams are the parameters of pooling, under vLLM's names. A zero field means vLLM's
// default, and the zero PoolingParams those of the model.
type PoolingParams struct {
	// Dimensions shortens embeddings, if the model was trained for that; 0 means the model's own.
	Dimensions int `json:"dimensions,omitzero"`
	// UseActivation applies the model's activation: normalization for embeddings, softmax or
	// sigmoid for classes. Nil means the model's default.
	UseActivation *bool `json:"use_activation,omitzero"`
	// Extra holds every other parameter of vLLM's PoolingParams by its Python name, as
	// [EngineArgs].Extra does.
	Extra map[string]any `json:"-"`
}

// MarshalJSON returns the object that vLLM's PoolingParams is made from: what is set, and Extra.
func (p PoolingParams) MarshalJSON() ([]byte, error) {
	type typed PoolingParams
	return marshalWith(typed(p), p.Extra, "PoolingParams")
}

// PoolingOutput is the result for one prompt.
type PoolingOutput struct {
	// NumPromptTokens is the prompt's length.
	NumPromptTokens int
	// Shape is that of Values, rows first. It has one dimension for a vector for each prompt, two
	// for each token.
	Shape  []int
	Values []float32
}

// Encode asks a pooling model: vLLM's LLM.encode. The engine must have been loaded as one; see
// [EngineArgs].Runner. For rewards, the task is [Classify] or, for each token, [TokenClassify]. A
// prompt with its own PoolingParams uses those; the other prompts use params.
//
// Calls from several goroutines share the engine, as those of [LLM.Generate] do.
func (l *LLM) Encode(
	ctx context.Context,
	task PoolingTask,
	prompts []Prompt,
	params PoolingParams,
) ([]PoolingOutput, error) {
	in := input{prompts: prompts}
	err := in.checkPrompts(l.info.MaxModelLen, l.info.VocabSize)
	if err == nil {
		in.params, err = encodePoolingParams(prompts, params)
	}
	if err != nil {
		return nil, fmt.Errorf("vllmgo: %w", err)
	}
	outputs := make([]PoolingOutput, len(prompts))
	err = l.split(ctx, len(prompts), func(ctx context.Context, at *replica, from, to int) error {
		pooled, err := l.encode(ctx, at, task, in.part(from, to))
		copy(outputs[from:], pooled)
		return err
	})
	if err != nil {
		return nil, err
	}
	return outputs, nil
}

// encode asks one replica.
func (l *LLM) encode(ctx context.Context, at *replica, task PoolingTask, in input) ([]PoolingOutput, error) {
	type packedPools struct {
		PromptLengths []byte
		Shapes        [][]int
		Values        []byte
	}
	pooled, err := pool[packedPools](ctx, l, at, in, "begin_encode", pack(in.prompts, in.params, in.options), string(task))
	if err != nil {
		return nil, err
	}
	outputs := make([]PoolingOutput, len(in.prompts))
	lengths, values := valuesOf[int32](pooled.PromptLengths), valuesOf[float32](pooled.Values)
	for i, shape := range pooled.Shapes {
		size := 1
		for _, n := range shape {
			size *= n
		}
		outputs[i] = PoolingOutput{NumPromptTokens: int(lengths[i]), Shape: shape}
		outputs[i].Values, values = split(values, int32(size))
	}
	return outputs, nil
}

// encodePoolingParams returns the parameters of prompts in JSON: one for all prompts, or one for
// each.
func encodePoolingParams(prompts []Prompt, params PoolingParams) ([]string, error) {
	encoded := make([]string, len(prompts))
	for i, prompt := range prompts {
		own, name := params, "PoolingParams"
		if prompt.PoolingParams != nil {
			own, name = *prompt.PoolingParams, fmt.Sprintf("prompt %d: PoolingParams", i)
		}
		var err error
		if encoded[i], err = encodeJSON(own); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return unlessEqual(encoded), nil
}

// pool runs a pooling that a method of engine.py begins, on a replica, and converts its result.
func pool[T any](ctx context.Context, l *LLM, at *replica, in input, begin string, args ...any) (T, error) {
	var result, zero T
	p := &pooling{callBase: callBase{ctx: ctx, at: at}, input: in, begin: begin, args: args, result: &result}
	if err := l.do(p); err != nil {
		return zero, err // and not result: a call that does not end in time may still write it
	}
	return result, nil
}

// Embed returns the embedding of each prompt: vLLM's LLM.embed.
func (l *LLM) Embed(ctx context.Context, prompts []Prompt, params PoolingParams) ([][]float32, error) {
	return l.vectors(ctx, Embed, prompts, params)
}

// Classify returns the probabilities of each prompt's classes, in the order of the model's labels:
// vLLM's LLM.classify.
func (l *LLM) Classify(ctx context.Context, prompts []Prompt, params PoolingParams) ([][]float32, error) {
	return l.vectors(ctx, Classify, prompts, params)
}

func (l *LLM) vectors(
	ctx context.Context,
	task PoolingTask,
	prompts []Prompt,
	params PoolingParams,
) ([][]float32, error) {
	outputs, err := l.Encode(ctx, task, prompts, params)
	if err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(outputs))
	for i, output := range outputs {
		vectors[i] = output.Values
	}
	return vectors, nil
}

// Score returns how well each document goes with the query: vLLM's LLM.score. Cross-encoders give
// the score; for other models it is the cosine of embeddings. There is one query for all documents,
// or one for each.
func (l *LLM) Score(ctx context.Context, queries, documents []string, params PoolingParams) ([]float32, error) {
	if len(documents) == 0 {
		return nil, errors.New("vllmgo: there are no documents")
	}
	if len(queries) != 1 && len(queries) != len(documents) {
		return nil, fmt.Errorf("vllmgo: %d queries and %d documents: give one query for all, or one for each",
			len(queries), len(documents))
	}
	if err := checkText([][]string{queries, documents}); err != nil {
		return nil, fmt.Errorf("vllmgo: queries and documents: %w", err)
	}
	encoded, err := encodeJSON(params)
	if err != nil {
		return nil, fmt.Errorf("vllmgo: PoolingParams: %w", err)
	}
	scores := make([]float32, len(documents))
	err = l.split(ctx, len(documents), func(ctx context.Context, at *replica, from, to int) error {
		own := queries
		if len(own) > 1 {
			own = own[from:to]
		}
		packed, err := pool[[]byte](ctx, l, at, input{}, "begin_score", own, documents[from:to], encoded)
		copy(scores[from:], valuesOf[float32](packed))
		return err
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}
