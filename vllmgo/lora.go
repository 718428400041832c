package vllmgo

import (
	"context"
	"fmt"
	"slices"
)

// LoRA is an adapter that changes a model's weights a little; see [Prompt].LoRA. It needs
// [EngineArgs].EnableLoRA. The first request that uses an adapter loads it, unless [LLM.LoadLoRA]
// has. Its folder must stay while it is in use: vLLM loads it again when it had to make room for
// others.
type LoRA struct {
	// Name distinguishes adapters.
	Name string
	// Path is the folder with adapter_config.json and the weights.
	Path string
}

// LoadLoRA loads an adapter, so that the first request that uses it does not wait for it.
// A replica that is started again after its death loads it on its first use.
func (l *LLM) LoadLoRA(ctx context.Context, adapter LoRA) error {
	if err := checkText(adapter); err != nil {
		return fmt.Errorf("vllmgo: LoRA: %w", err)
	}
	return l.doAll(ctx, "load_lora", adapter.Name, adapter.Path)
}

// DropLoRA drops an adapter. Its name can then be another's, or that of the same folder with new
// weights.
func (l *LLM) DropLoRA(ctx context.Context, name string) error {
	if err := checkText(name); err != nil {
		return fmt.Errorf("vllmgo: LoRA: %w", err)
	}
	dropped, err := callAll[bool](ctx, l, "drop_lora", name)
	if err == nil && !slices.Contains(dropped, true) {
		return fmt.Errorf("vllmgo: there is no LoRA adapter %s", name)
	}
	return err
}

// LoadedLoRAs returns the names of the adapters that the engine, or any replica, holds, sorted.
func (l *LLM) LoadedLoRAs(ctx context.Context) ([]string, error) {
	all, err := callAll[[]string](ctx, l, "loaded_loras")
	names := slices.Concat(all...)
	slices.Sort(names)
	return slices.Compact(names), err
}
