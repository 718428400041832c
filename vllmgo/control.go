package vllmgo

import (
	"context"

	"vllmgo/pyembed"
)

// Metrics are counts that the engine keeps, as of its last step. Totals are since the engine was made.
type Metrics struct {
	// Running and Waiting are numbers of requests: those that the last step worked on, and those in the engine's
	// queue.
	Running, Waiting int
	// KVCacheUsage is the share of the KV cache's blocks in use, in [0, 1].
	KVCacheUsage float64
	// Preemptions counts how often a running request lost its KV cache to others and had to start again.
	Preemptions int
	// PrefixCacheQueries and PrefixCacheHits are numbers of prompt tokens: those looked up in the prefix cache,
	// and those found.
	PrefixCacheQueries, PrefixCacheHits int
	// PromptTokens and GenerationTokens are numbers of tokens.
	PromptTokens, GenerationTokens int
	// FinishedRequests counts requests that ended by themselves; one with SamplingParams.N above 1 counts as N.
	FinishedRequests int
}

// Metrics gives the engine's counts. It waits for nobody, and can be called while others generate. It needs
// [EngineArgs].DisableLogStats to be false.
func (l *LLM) Metrics(ctx context.Context) (Metrics, error) {
	var m Metrics
	err := l.beside(ctx, func(py *pyembed.Py) error {
		return callInto(py, &m, l.engine, "metrics")
	})
	return m, err
}

// beside runs fn while others may use the engine.
func (l *LLM) beside(ctx context.Context, fn func(py *pyembed.Py) error) error {
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

// Tokenizer is the engine's own tokenizer.
func (l *LLM) Tokenizer(ctx context.Context) (*Tokenizer, error) {
	t := &Tokenizer{bridge: l.bridge}
	err := l.beside(ctx, func(py *pyembed.Py) (err error) {
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

// Sleep gives GPU memory back for a while. Level 1 keeps the weights in the CPU's memory, level 2 forgets them;
// both forget the KV cache. It needs a GPU and [EngineArgs].EnableSleepMode. The engine must not be used until
// [LLM.WakeUp].
func (l *LLM) Sleep(ctx context.Context, level int) error {
	return l.doAlone(ctx, "sleep", level)
}

// WakeUp takes the memory again that [LLM.Sleep] gave back: that of the tags "weights" and "kv_cache", or of
// both when none is given. After level 2, the weights are not those of the model: load them anew.
func (l *LLM) WakeUp(ctx context.Context, tags ...string) error {
	return l.doAlone(ctx, "wake_up", append([]string{}, tags...))
}

// IsSleeping says whether the engine sleeps.
func (l *LLM) IsSleeping(ctx context.Context) (bool, error) {
	return callAlone[bool](ctx, l, "is_sleeping")
}
