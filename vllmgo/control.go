package vllmgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Metrics are the engine's counts as of its last step, or those of an idle engine. Totals are since
// the engine was made. With DataParallelSize above 1 they are sums over the replicas that are
// alive, each since its start.
type Metrics struct {
	// Replicas is the number of engines that are alive, ReplicaRestarts the number of times that
	// one was to be started again after its death.
	Replicas, ReplicaRestarts int
	// Running is the number of requests that the last step worked on, Waiting the number in the
	// engine's queue.
	Running, Waiting int
	// KVCacheUsage is the share of the KV cache's blocks in use, in [0, 1]; the mean over replicas.
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
	all, err := l.alive(ctx)
	if err != nil {
		return Metrics{}, err
	}
	return inBackground(ctx, func() (Metrics, error) {
		sum := Metrics{ReplicaRestarts: l.restarted()}
		for _, r := range all {
			var m Metrics
			err := explain(r.engine.meanwhile(&m, "metrics"))
			if errors.Is(err, ErrEngineDead) && l.open != nil {
				l.died(r, err)
				continue
			}
			if err != nil {
				return Metrics{}, err
			}
			sum.Replicas++
			sum.add(m)
		}
		sum.KVCacheUsage /= float64(max(sum.Replicas, 1))
		return sum, nil
	})
}

// add adds the counts of an engine.
func (m *Metrics) add(engine Metrics) {
	m.Running += engine.Running
	m.Waiting += engine.Waiting
	m.KVCacheUsage += engine.KVCacheUsage
	m.Preemptions += engine.Preemptions
	m.PrefixCacheQueries += engine.PrefixCacheQueries
	m.PrefixCacheHits += engine.PrefixCacheHits
	m.PromptTokens += engine.PromptTokens
	m.GenerationTokens += engine.GenerationTokens
	m.FinishedRequests += engine.FinishedRequests
}

// Tokenizer returns the engine's tokenizer. With DataParallelSize above 1, it is loaded again in
// this process.
func (l *LLM) Tokenizer(ctx context.Context) (*Tokenizer, error) {
	if _, err := l.alive(ctx); err != nil {
		return nil, err
	}
	if l.open == nil {
		return l.all[0].engine.(*embedded).tokenizer(ctx)
	}
	if l.args.SkipTokenizerInit {
		return nil, errors.New("vllmgo: the engine has no tokenizer: it was made with SkipTokenizerInit")
	}
	return LoadTokenizer(ctx, l.args)
}

// ResetPrefixCache empties the prefix cache.
func (l *LLM) ResetPrefixCache(ctx context.Context) error {
	return l.doAll(ctx, "reset_prefix_cache")
}

// Sleep gives GPU memory back for a while. Level 1 keeps the weights in the CPU's memory, level 2
// forgets them; both forget the KV cache. It needs a GPU and [EngineArgs].EnableSleepMode. The
// engine must not be used until [LLM.WakeUp].
func (l *LLM) Sleep(ctx context.Context, level int) error {
	return l.doAll(ctx, "sleep", level)
}

// WakeUp takes the memory again that [LLM.Sleep] gave back: that of the tags "weights" and
// "kv_cache", or of both if there are no tags. After level 2 the weights are not the model's: load
// them again.
func (l *LLM) WakeUp(ctx context.Context, tags ...string) error {
	return l.doAll(ctx, "wake_up", append([]string{}, tags...))
}

// IsSleeping reports whether the engine sleeps; with replicas, whether all do.
func (l *LLM) IsSleeping(ctx context.Context) (bool, error) {
	all, err := callAll[bool](ctx, l, "is_sleeping")
	return err == nil && !slices.Contains(all, false), err
}

// ReleaseKVCacheMemory gives the memory of the KV cache back until the next [LLM.WakeUp]: vLLM's
// LLM.release_kv_cache_memory.
func (l *LLM) ReleaseKVCacheMemory(ctx context.Context) error {
	return l.doAll(ctx, "llm_method", "release_kv_cache_memory", []any{}, map[string]any{})
}

// StartProfile starts vLLM's profiler, which needs the engine argument profiler_config. prefix
// begins the names of the files that it writes; empty means vLLM's default.
func (l *LLM) StartProfile(ctx context.Context, prefix string) error {
	kwargs := map[string]any{}
	if prefix != "" {
		kwargs["profile_prefix"] = prefix
	}
	return l.doAll(ctx, "llm_method", "start_profile", []any{}, kwargs)
}

// StopProfile stops vLLM's profiler, which then writes its files.
func (l *LLM) StopProfile(ctx context.Context) error {
	return l.doAll(ctx, "llm_method", "stop_profile", []any{}, map[string]any{})
}

// CollectiveRPC calls a method of every worker, by its name, and returns a result for each: vLLM's
// LLM.collective_rpc, those of all replicas in order. Results are what encoding/json makes of a
// JSON value; a method whose result has no form in JSON is an error.
func (l *LLM) CollectiveRPC(ctx context.Context, method string, args []any, kwargs map[string]any) ([]any, error) {
	encoded, err := encodeJSON([]any{append([]any{}, args...), kwargs})
	if err != nil {
		return nil, fmt.Errorf("vllmgo: CollectiveRPC: %w", err)
	}
	texts, err := callAll[string](ctx, l, "collective_rpc", method, encoded)
	if err != nil {
		return nil, err
	}
	var all []any
	for _, text := range texts {
		var results []any
		if err := json.Unmarshal([]byte(text), &results); err != nil {
			return nil, fmt.Errorf("vllmgo: CollectiveRPC: %w", err)
		}
		all = append(all, results...)
	}
	return all, nil
}
