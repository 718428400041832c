package vllm

import (
	"vllmgo/bench/journal"
	"vllmgo/vllmgo"
)

// feedForward is the number of matrices in the feed-forward part of a layer, by the model's type:
// two, or three with a gate. Models of these types have only these and attention's four.
var feedForward = map[string]int{
	"opt": 2, "gpt_neox": 2, "starcoder2": 2, "phi": 2,
	"llama": 3, "mistral": 3, "qwen2": 3, "qwen3": 3, "gemma": 3, "gemma2": 3, "gemma3_text": 3, "phi3": 3, "olmo2": 3,
	"granite": 3, "smollm3": 3,
}

// ModelSize returns a model's size, computed from its configuration; nil for a type of model that
// it does not know.
func ModelSize(c vllmgo.ModelConfig) *journal.ModelSize {
	matrices := feedForward[c.ModelType]
	if matrices == 0 || c.HiddenSize == 0 || c.IntermediateSize == 0 {
		return nil
	}
	attention := 2 * c.HiddenSize * c.HeadDim * (c.NumAttentionHeads + c.NumKVHeads)
	return &journal.ModelSize{
		Layers: int64(c.NumLayers) * int64(attention+matrices*c.HiddenSize*c.IntermediateSize),
		Head:   int64(c.HiddenSize) * int64(c.VocabSize),
	}
}
