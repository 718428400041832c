package vllmgo

import "context"

// LoRA is an adapter that changes a model's weights a little; see [Prompt].LoRA. The engine must have been made
// with [EngineArgs].EnableLoRA. vLLM loads an adapter when a request first uses it, or on [LLM.LoadLoRA].
type LoRA struct {
	// Name tells adapters apart.
	Name string
	// Path is the folder with adapter_config.json and the weights.
	Path string
}

// LoadLoRA loads an adapter now, so that the first request that uses it does not wait for it.
func (l *LLM) LoadLoRA(ctx context.Context, adapter LoRA) error {
	return l.callAlone(ctx, nil, "load_lora", adapter.Name, adapter.Path)
}

// DropLoRA drops an adapter; its name may then stand for another.
func (l *LLM) DropLoRA(ctx context.Context, name string) error {
	return l.callAlone(ctx, nil, "drop_lora", name)
}

// LoadedLoRAs are the names of the adapters that the engine holds, sorted.
func (l *LLM) LoadedLoRAs(ctx context.Context) ([]string, error) {
	var names []string
	err := l.callAlone(ctx, &names, "loaded_loras")
	return names, err
}
