package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/format"
	"vllmgo/vllmgo"
)

// engineError is an error of the engine's, after which it cannot be trusted.
type engineError struct{ error }

func (e engineError) Unwrap() error { return e.error }

// generate runs one pass, verifies what came back, and says how long the whole call took.
func generate(ctx context.Context, engine Engine, requests []workload.Request, asked terms) (*vllmgo.Generation, time.Duration, error) {
	prompts := make([]vllmgo.Prompt, len(requests))
	for i, r := range requests {
		prompts[i] = r.Prompt()
	}
	sampling := asked.params(requests)
	start := time.Now()
	g, err := engine.Generate(ctx, prompts, sampling...)
	wall := time.Since(start)
	if err != nil {
		return nil, 0, engineError{err}
	}
	return g, wall, verify(g, requests, max(1, sampling[0].N), asked.cache)
}

// terms are what is asked of an engine for the requests of a point, beside their lengths.
type terms struct {
	detokenize bool
	// set are the point's own sampling settings, which Study.check has approved.
	set map[string]any
	// cache says that the point's settings switch the prefix cache on.
	cache bool
}

// params ask for exactly the output length of each request, decoded greedily unless set says otherwise: one for
// all requests or one for each.
func (t terms) params(requests []workload.Request) []vllmgo.SamplingParams {
	var all []vllmgo.SamplingParams
	equal := true
	for _, r := range requests {
		params := vllmgo.SamplingParams{
			Temperature: new(0.0),
			IgnoreEOS:   true,
			MinTokens:   r.OutputLen,
			MaxTokens:   r.OutputLen,
		}
		if !t.detokenize {
			params.Detokenize = new(false)
		}
		params, _ = workload.Set{Sampling: t.set}.SamplingParams(params)
		all = append(all, params)
		equal = equal && r.OutputLen == requests[0].OutputLen
	}
	if equal {
		return all[:1]
	}
	return all
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

// verify checks that an engine did what it was asked, exactly.
func verify(g *vllmgo.Generation, requests []workload.Request, completions int, cache bool) error {
	if g.Elapsed <= 0 {
		return fmt.Errorf("the engine reports an elapsed time of %v", g.Elapsed)
	}
	if g.Shared {
		return errors.New("the engine worked for other calls meanwhile, so the time is not that of LLM.generate alone")
	}
	if len(g.Outputs) != len(requests) {
		return mismatchf(journal.CheckCounts, "%s sent, %d outputs came back", format.Count(len(requests), "prompt"), len(g.Outputs))
	}
	for i, output := range g.Outputs {
		if err := verifyOutput(output, requests[i], completions, cache); err != nil {
			return fmt.Errorf("request %d of %d: %w", i+1, len(requests), err)
		}
	}
	return nil
}

func verifyOutput(o vllmgo.RequestOutput, r workload.Request, completions int, cache bool) error {
	if len(o.PromptTokenIDs) != len(r.TokenIDs) {
		return mismatchf(journal.CheckPrompts, "the engine saw a prompt of %d tokens, %d were sent", len(o.PromptTokenIDs), len(r.TokenIDs))
	}
	if !slices.Equal(o.PromptTokenIDs, r.TokenIDs) {
		return mismatchf(journal.CheckPrompts, "the engine saw other prompt tokens than were sent")
	}
	if o.NumCachedTokens > 0 && !cache {
		return mismatchf(journal.CheckCache, "%d prompt tokens came from the prefix cache, which must be off", o.NumCachedTokens)
	}
	if len(o.Outputs) != completions {
		return mismatchf(journal.CheckCounts, "%s came back, %d asked for", format.Count(len(o.Outputs), "completion"), completions)
	}
	for _, completion := range o.Outputs {
		if len(completion.TokenIDs) != r.OutputLen {
			return mismatchf(journal.CheckCounts, "%d tokens were generated, %d were asked for", len(completion.TokenIDs), r.OutputLen)
		}
		if completion.FinishReason != "length" {
			return mismatchf(journal.CheckFinish, "it finished for the reason %q, not \"length\"", completion.FinishReason)
		}
	}
	return nil
}
