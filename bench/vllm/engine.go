package vllm

import (
	"context"
	"errors"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/vllmgo"
)

// Open loads an engine of vLLM's for [bench.Run]. The engine is a [bench.TimedEngine] and a
// [bench.SeqEngine].
func Open(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) {
	llm, err := vllmgo.New(ctx, args)
	if err != nil {
		return nil, err
	}
	return engine{llm}, nil
}

// engine is an LLM that also returns the times of its requests.
type engine struct{ *vllmgo.LLM }

var (
	_ bench.TimedEngine = engine{}
	_ bench.SeqEngine   = engine{}
)

// Times returns the times of the requests, which are in their outputs.
func (engine) Times(g *vllmgo.Generation) ([]journal.RequestTimes, error) {
	times := make([]journal.RequestTimes, len(g.Outputs))
	for i, o := range g.Outputs {
		if o.Metrics == nil {
			return nil, errors.New("the engine was made without statistics")
		}
		times[i] = journal.RequestTimes{
			Queue: o.Metrics.QueueTime,
			TTFT:  o.Metrics.TTFT,
			E2E:   o.Metrics.E2ELatency,
			ITL:   o.Metrics.ITL,
		}
	}
	return times, nil
}

// Counters returns the scheduler's counts.
func (e engine) Counters(ctx context.Context) (journal.Counters, error) {
	m, err := e.Metrics(ctx)
	return journal.Counters{Running: m.Running, Waiting: m.Waiting, Preemptions: m.Preemptions, KVUse: m.KVCacheUsage}, err
}
