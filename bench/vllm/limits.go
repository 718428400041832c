package vllm

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
