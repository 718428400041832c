package vllmgo

import (
	"context"
	"errors"
	"fmt"
)

// PoolingTask is what a pooling model is asked for, under vLLM's names.
type PoolingTask string

const (
	// Embed gives a vector for each prompt.
	Embed PoolingTask = "embed"
	// Classify gives the probability of each class, or a reward, for each prompt.
	Classify PoolingTask = "classify"
	// TokenEmbed gives a vector for each token of each prompt.
	TokenEmbed PoolingTask = "token_embed"
	// TokenClassify gives the probability of each class, or a reward, for each token of each prompt.
	TokenClassify PoolingTask = "token_classify"
)

// PoolingParams are the parameters of pooling, under vLLM's names. A zero value means vLLM's default.
type PoolingParams struct {
	// Dimensions shortens embeddings, if the model was trained for that; 0 means the model's own.
	Dimensions int `json:"dimensions,omitzero"`
	// UseActivation applies the model's activation: for embeddings, normalization; for classes, softmax or
	// sigmoid. Nil means the model's default.
	UseActivation *bool `json:"use_activation,omitzero"`
}

// PoolingOutput is what pooling gives for one prompt.
type PoolingOutput struct {
	// NumPromptTokens is the prompt's length.
	NumPromptTokens int
	// Shape is that of Values, rows first: a vector for each prompt has one dimension, for each token two.
	Shape  []int
	Values []float32
}

// Encode runs a pooling model: vLLM's LLM.encode. The engine must have been loaded as one; see [EngineArgs].Runner.
// For rewards, the task is [Classify] or, for each token, [TokenClassify].
func (l *LLM) Encode(ctx context.Context, task PoolingTask, prompts []Prompt, params PoolingParams) ([]PoolingOutput, error) {
	in := input{prompts: prompts}
	if err := in.checkPrompts(l.info.MaxModelLen); err != nil {
		return nil, fmt.Errorf("vllmgo: %w", err)
	}
	encoded, err := encodeJSON(params)
	if err != nil {
		return nil, fmt.Errorf("vllmgo: PoolingParams: %w", err)
	}
	packed := pack(prompts, []string{encoded}, in.options)
	pooled, err := callAlone[struct {
		PromptLengths []byte
		Shapes        [][]int
		Values        []byte
	}](ctx, l, "encode", packed, string(task))
	if err != nil {
		return nil, err
	}
	outputs, lengths, values := make([]PoolingOutput, len(prompts)), valuesOf[int32](pooled.PromptLengths), valuesOf[float32](pooled.Values)
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

// Embed gives each prompt's embedding: vLLM's LLM.embed.
func (l *LLM) Embed(ctx context.Context, prompts []Prompt, params PoolingParams) ([][]float32, error) {
	return l.vectors(ctx, Embed, prompts, params)
}

// Classify gives the probabilities of each prompt's classes, in the order of the model's labels: vLLM's
// LLM.classify.
func (l *LLM) Classify(ctx context.Context, prompts []Prompt, params PoolingParams) ([][]float32, error) {
	return l.vectors(ctx, Classify, prompts, params)
}

func (l *LLM) vectors(ctx context.Context, task PoolingTask, prompts []Prompt, params PoolingParams) ([][]float32, error) {
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

// Score says how well each document goes with the query: vLLM's LLM.score, by a cross-encoder's own score or by
// the cosine of embeddings, whichever the model gives. There is one query for all documents, or one for each.
func (l *LLM) Score(ctx context.Context, queries, documents []string, params PoolingParams) ([]float32, error) {
	if len(documents) == 0 {
		return nil, errors.New("vllmgo: there are no documents")
	}
	if len(queries) != 1 && len(queries) != len(documents) {
		return nil, fmt.Errorf("vllmgo: %d queries and %d documents: give one query for all, or one for each",
			len(queries), len(documents))
	}
	encoded, err := encodeJSON(params)
	if err != nil {
		return nil, fmt.Errorf("vllmgo: PoolingParams: %w", err)
	}
	if err := checkText([][]string{queries, documents}); err != nil {
		return nil, fmt.Errorf("vllmgo: queries and documents: %w", err)
	}
	scores, err := callAlone[[]byte](ctx, l, "score", queries, documents, encoded)
	if err != nil {
		return nil, err
	}
	return valuesOf[float32](scores), nil
}
