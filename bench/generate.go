package bench

import (
	"context"
	"time"

	"vllmgo/bench/internal/ask"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// terms are what is asked of an engine for the requests of a point, besides their lengths.
type terms struct {
	ask.Terms
	// cache is true when the point's settings switch the prefix cache on.
	cache bool
}

// engineError is an error of the engine, which cannot be trusted after it.
type engineError struct{ error }

func (e engineError) Unwrap() error { return e.error }

// generate runs one pass and verifies what came back. It also returns the time of the whole call.
func generate(
	ctx context.Context,
	engine Engine,
	requests []workload.Request,
	asked terms,
) (*vllmgo.Generation, time.Duration, error) {
	prompts, params := asked.Prompts(requests)
	start := time.Now()
	g, err := engine.Generate(ctx, prompts, params)
	wall := time.Since(start)
	if err != nil {
		return nil, 0, engineError{err}
	}
	return g, wall, verify(g, requests, max(1, params.N), asked.cache)
}

// newLedger counts a verified pass.
func newLedger(g *vllmgo.Generation, requests []workload.Request) journal.Ledger {
	l := journal.Ledger{PromptsSHA256: workload.HashRequests(requests), Requests: len(g.Outputs)}
	for _, o := range g.Outputs {
		l.InputTokens += len(o.PromptTokenIDs)
		for _, completion := range o.Outputs {
			l.OutputTokens += len(completion.TokenIDs)
		}
		if o.NumCachedTokens < 0 || l.CachedTokens < 0 {
			l.CachedTokens = -1
		} else {
			l.CachedTokens += o.NumCachedTokens
		}
	}
	return l
}
