package vllmgo

import (
	"context"
	"errors"
)

// FindModel looks for a model for at most five seconds. It returns nil if the model is a folder or
// file, in the local cache, or on the hub. Otherwise the error is [ErrModelNotFound] and lists what
// to do.
func FindModel(ctx context.Context, model string) error {
	if model == "" {
		return errors.New("vllmgo: the model's name is empty")
	}
	b, err := openBridge(ctx) // which needs no import of vLLM
	if err != nil {
		return err
	}
	_, err = inBackground(ctx, func() (any, error) { return callModule[any](b, "find_model", model) })
	return err
}

// DetectDevice returns vLLM's name for the platform that engines run on: "cuda", "cpu", …. It needs
// no engine.
func DetectDevice(ctx context.Context) (string, error) {
	return ask[string](ctx, "detect_device")
}

// ResolveEngineMode returns the mode that [EngineModeAuto] stands for on this machine, and returns
// any other mode as it is. It needs no engine.
func ResolveEngineMode(ctx context.Context, mode EngineMode) (EngineMode, error) {
	if mode != EngineModeAuto {
		return mode, nil
	}
	own, err := ask[bool](ctx, "prefers_own_process")
	if err != nil || own {
		return OwnProcess, err
	}
	return InProcess, nil
}

// LoadModelConfig reads a model's configuration, without its weights. Settings that contradict it
// are errors, as in [New]: for instance a TensorParallelSize that does not divide the model, or is
// larger than the machine.
func LoadModelConfig(ctx context.Context, args EngineArgs) (ModelConfig, error) {
	kwargs, err := args.kwargs()
	if err != nil {
		return ModelConfig{}, err
	}
	return ask[ModelConfig](ctx, "model_config", kwargs)
}

// WithDtype returns the configuration for weights and activations of the given type: "half",
// "float16", "bfloat16", "float" or "float32". Any other type, such as "auto", leaves it as it is.
func (c ModelConfig) WithDtype(dtype string) ModelConfig {
	switch dtype {
	case "half", "float16", "bfloat16":
		c.DtypeBytes = 2
	case "float", "float32":
		c.DtypeBytes = 4
	}
	return c
}
