package vllmgo

import (
	"context"
	"encoding/json"
	"fmt"

	"vllmgo/pyembed"
)

// Metrics are the engine's counts as of its last step. Totals are since the engine was made.
type Metrics struct {
	// Running is the number of requests that the last step worked on, Waiting the number in the
	// engine's queue.
	Running, Waiting int
	// KVCacheUsage is the share of the KV cache's blocks in use, in [0, 1].
	KVCacheUsage float64
	// Preemptions counts the times that a running request lost its KV cache to others and had to
	// start again.
	Preemptions int
	// PrefixCacheQueries is the number of prompt tokens that were looked up in the prefix cache,
	// PrefixCacheHits the number that were found.
	PrefixCacheQueries, PrefixCacheHits int
	// PromptTokens and GenerationTokens are numbers of tokens.
	PromptTokens, GenerationTokens int
	// FinishedRequests is the number of requests that ended by themselves; one with
	// SamplingParams.N above 1 counts as N.
	FinishedRequests int
}

// Metrics returns the engine's counts. It does not wait for other calls. It needs
// [EngineArgs].DisableLogStats to be false.
func (l *LLM) Metrics(ctx context.Context) (Metrics, error) {
	var m Metrics
	err := l.meanwhile(ctx, func(py *pyembed.Py) error {
		return callInto(py, &m, l.engine, "metrics")
	})
	if err != nil {
		return Metrics{}, err // and not m, which may still be written
	}
	return m, nil
}

// meanwhile runs fn while others may use the engine.
func (l *LLM) meanwhile(ctx context.Context, fn func(py *pyembed.Py) error) error {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return explain(ErrClosed)
	}
	_, err := inBackground(ctx, func() (struct{}, error) {
		return struct{}{}, explain(l.bridge.rt.Do(context.Background(), fn))
	})
	return err
}

// Tokenizer returns the engine's tokenizer.
func (l *LLM) Tokenizer(ctx context.Context) (*Tokenizer, error) {
	t := &Tokenizer{bridge: l.bridge}
	err := l.meanwhile(ctx, func(py *pyembed.Py) (err error) {
		if t.object, err = l.engine.CallMethod(py, "tokenizer"); err != nil {
			return err
		}
		return t.describe(py)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ResetPrefixCache empties the prefix cache.
func (l *LLM) ResetPrefixCache(ctx context.Context) error {
	return l.doAlone(ctx, "reset_prefix_cache")
}

// Sleep gives GPU memory back for a while. Level 1 keeps the weights in the CPU's memory, level 2
// forgets them; both forget the KV cache. It needs a GPU and [EngineArgs].EnableSleepMode. The
// engine must not be used until [LLM.WakeUp].
func (l *LLM) Sleep(ctx context.Context, level int) error {
	return l.doAlone(ctx, "sleep", level)
}

// WakeUp takes the memory again that [LLM.Sleep] gave back: that of the tags "weights" and
// "kv_cache", or of both if there are no tags. After level 2 the weights are not the model's: load
// them again.
func (l *LLM) WakeUp(ctx context.Context, tags ...string) error {
	return l.doAlone(ctx, "wake_up", append([]string{}, tags...))
}

// IsSleeping reports whether the engine sleeps.
func (l *LLM) IsSleeping(ctx context.Context) (bool, error) {
	return callAlone[bool](ctx, l, "is_sleeping")
}

// ReleaseKVCacheMemory gives the memory of the KV cache back until the next [LLM.WakeUp]: vLLM's
// LLM.release_kv_cache_memory.
func (l *LLM) ReleaseKVCacheMemory(ctx context.Context) error {
	return l.doAlone(ctx, "llm_method", "release_kv_cache_memory", []any{}, map[string]any{})
}

// StartProfile starts vLLM's profiler, which needs the engine argument profiler_config. prefix
// begins the names of the files that it writes; empty means vLLM's default.
func (l *LLM) StartProfile(ctx context.Context, prefix string) error {
	kwargs := map[string]any{}
	if prefix != "" {
		kwargs["profile_prefix"] = prefix
	}
	return l.doAlone(ctx, "llm_method", "start_profile", []any{}, kwargs)
}

// StopProfile stops vLLM's profiler, which then writes its files.
func (l *LLM) StopProfile(ctx context.Context) error {
	return l.doAlone(ctx, "llm_method", "stop_profile", []any{}, map[string]any{})
}

// CollectiveRPC calls a method of every worker, by its name, and returns a result for each: vLLM's
// LLM.collective_rpc. Results are what encoding/json makes of a JSON value; a method whose result
// has no form in JSON is an error.
func (l *LLM) CollectiveRPC(ctx context.Context, method string, args []any, kwargs map[string]any) ([]any, error) {
	encoded, err := encodeJSON([]any{append([]any{}, args...), kwargs})
	if err != nil {
		return nil, fmt.Errorf("vllmgo: CollectiveRPC: %w", err)
	}
	text, err := callAlone[string](ctx, l, "collective_rpc", method, encoded)
	if err != nil {
		return nil, err
	}
	var results []any
	err = json.Unmarshal([]byte(text), &results)
	return results, err
}
