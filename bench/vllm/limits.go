package vllm

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"

	"vllmgo/bench/journal"
	"vllmgo/internal/child"
	"vllmgo/vllmgo"
)

//go:embed limits.py
var limitsScript string

// MeasureLimits measures the memory bandwidth and the arithmetic of a device, "cpu" or "cuda", for
// values of a type. It uses torch, whose kernels vLLM uses too, in a Python process that ends with
// it. It takes about five seconds.
func MeasureLimits(ctx context.Context, device, dtype string) (journal.Limits, error) {
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
	text, err := child.Output(ctx, exec.Command(python, "-c", limitsScript, device, dtype, "2"))
	if err != nil {
		return journal.Limits{}, fmt.Errorf("measuring the device with torch: %w", err)
	}
	var limits journal.Limits
	err = json.Unmarshal(text, &limits)
	return limits, err
}
