package cli

import (
	"context"
	"errors"

	"vllmgo/bench/journal"
	"vllmgo/vllmgo"
)

// engine is an LLM that also says the times of its requests; see bench.TimedEngine.
type engine struct{ *vllmgo.LLM }

// Times takes the requests' times from their outputs.
func (engine) Times(g *vllmgo.Generation) ([]journal.RequestTimes, error) {
	times := make([]journal.RequestTimes, len(g.Outputs))
	for i, o := range g.Outputs {
		if o.Metrics == nil {
			return nil, errors.New("the engine was made without statistics")
		}
		times[i] = journal.RequestTimes{Queue: o.Metrics.QueueTime, TTFT: o.Metrics.TTFT, E2E: o.Metrics.E2ELatency, ITL: o.Metrics.ITL}
	}
	return times, nil
}

// Counters are the scheduler's counts.
func (e engine) Counters(ctx context.Context) (journal.Counters, error) {
	m, err := e.Metrics(ctx)
	return journal.Counters{Running: m.Running, Waiting: m.Waiting, Preemptions: m.Preemptions, KVUse: m.KVCacheUsage}, err
}
