package cli

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"vllmgo/bench/journal"
	"vllmgo/vllmgo"
)

//go:embed limits.py
var limitsScript string

// measureLimits measures what a device is capable of with torch, whose kernels vLLM uses too, in a Python process of its
// own, so that nothing of it stays.
func measureLimits(ctx context.Context, device, dtype string) (journal.Limits, error) {
	switch dtype {
	case "auto", "":
		return journal.Limits{}, errors.New("the model's type is not known")
	case "half":
		dtype = "float16"
	case "float":
		dtype = "float32"
	}
	python, err := vllmgo.Python()
	if err != nil {
		return journal.Limits{}, err
	}
	cmd := exec.CommandContext(ctx, python, "-c", limitsScript, device, dtype, "2")
	text, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		return journal.Limits{}, fmt.Errorf("measuring the device with torch: %w: %s", err, lines[len(lines)-1])
	}
	var limits journal.Limits
	if err == nil {
		err = json.Unmarshal(text, &limits)
	}
	return limits, err
}

// feedForward is the number of matrices in the feed-forward part of a layer, by the model's type: two, or three with a gate.
// Models of these types have no others than these and attention's four.
var feedForward = map[string]int{
	"opt": 2, "gpt_neox": 2, "starcoder2": 2, "phi": 2,
	"llama": 3, "mistral": 3, "qwen2": 3, "qwen3": 3, "gemma": 3, "gemma2": 3, "gemma3_text": 3, "phi3": 3, "olmo2": 3,
	"granite": 3, "smollm3": 3,
}

// modelSize computes a model's size from its configuration; nil for a type that is not among these.
func modelSize(c vllmgo.ModelConfig) *journal.ModelSize {
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
