package cli

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"vllmgo/bench"
	"vllmgo/vllmgo"
)

//go:embed limits.py
var limitsScript string

// measureLimits measures what a device is capable of with torch, whose kernels vLLM uses too, in a Python process of its
// own, so that nothing of it stays.
func measureLimits(ctx context.Context, device, dtype string) (bench.Limits, error) {
	switch dtype {
	case "auto", "":
		return bench.Limits{}, errors.New("the model's type is not known")
	case "half":
		dtype = "float16"
	case "float":
		dtype = "float32"
	}
	python, err := vllmgo.Python()
	if err != nil {
		return bench.Limits{}, err
	}
	cmd := exec.CommandContext(ctx, python, "-c", limitsScript, device, dtype, "2")
	text, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		return bench.Limits{}, fmt.Errorf("measuring the device with torch: %w: %s", err, lines[len(lines)-1])
	}
	var limits bench.Limits
	if err == nil {
		err = json.Unmarshal(text, &limits)
	}
	return limits, err
}

// modelSize reads a model's size from the config.json in its folder; nil for a model that is no folder, or of an
// architecture that is not among these.
func modelSize(model string) *bench.ModelSize {
	text, err := os.ReadFile(filepath.Join(model, "config.json"))
	if err != nil {
		return nil
	}
	var c struct {
		ModelType    string `json:"model_type"`
		Hidden       int64  `json:"hidden_size"`
		Layers       int64  `json:"num_hidden_layers"`
		Vocabulary   int64  `json:"vocab_size"`
		Heads        int64  `json:"num_attention_heads"`
		KVHeads      int64  `json:"num_key_value_heads"`
		HeadDim      int64  `json:"head_dim"`
		FFN          int64  `json:"ffn_dim"`
		Intermediate int64  `json:"intermediate_size"`
	}
	if err := json.Unmarshal(text, &c); err != nil || c.Heads == 0 {
		return nil
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadDim == 0 {
		c.HeadDim = c.Hidden / c.Heads
	}
	attention := 2*c.Hidden*c.Heads*c.HeadDim + 2*c.Hidden*c.KVHeads*c.HeadDim
	head := c.Hidden * c.Vocabulary
	switch c.ModelType {
	case "opt":
		return &bench.ModelSize{Layers: c.Layers * (attention + 2*c.Hidden*c.FFN), Head: head}
	case "llama", "mistral", "qwen2", "qwen3":
		return &bench.ModelSize{Layers: c.Layers * (attention + 3*c.Hidden*c.Intermediate), Head: head}
	}
	return nil
}
