package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vllmgo/vllmgo"
)

// WarmUp is what was run before a point's first trial on an engine.
type WarmUp struct {
	PointID
	// Engine is the number of the engine that was warmed up: EngineRecord.Number.
	Engine int `json:"engine"`
	// Single is the time of one request of the point's lengths, the notebook's whole warm-up.
	Single time.Duration `json:"single_ns"`
	// Passes are the times of passes of the point's full shape, each with prompts of its own. The first comes after
	// a single request, as the notebook's measurement does. None with [WarmUpNotebook].
	Passes []time.Duration `json:"passes_ns,omitempty"`
	// Stable is false when the last of the passes was still faster than the one before it.
	Stable bool `json:"stable"`
}

// Trial is one measurement of a point: one call of LLM.generate.
type Trial struct {
	PointID
	// Trial counts a point's trials from 1.
	Trial int `json:"trial"`
	// Engine is the number of the engine that ran it: EngineRecord.Number.
	Engine int `json:"engine"`
	// Started is when it began.
	Started time.Time `json:"started"`
	// Elapsed is the time of LLM.generate alone. It is the batch's completion time and, because all requests
	// return together, each request's latency.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Outside is the time that the call of Engine.Generate took beyond Elapsed: handing prompts over and
	// outputs back.
	Outside time.Duration `json:"outside_ns"`
	// Ledger accounts for the requests.
	Ledger Ledger `json:"ledger"`
	// PeakKVTokens is the point's peak demand for KV-cache tokens; see [PeakKVTokens].
	PeakKVTokens int `json:"peak_kv_tokens"`
	// Usage is what the machine did meanwhile.
	Usage Usage `json:"usage"`
}

// Ledger accounts for the requests of a trial. Its counts are those of what the engine returned, after each request
// was compared with what was sent and asked for.
type Ledger struct {
	// PromptsSHA256 identifies the prompts: the SHA-256, in hexadecimal, of all their token IDs.
	PromptsSHA256 string `json:"prompts_sha256"`
	// Requests is the number of requests that were completed.
	Requests int `json:"requests"`
	// InputTokens is the number of prompt tokens that the engine saw.
	InputTokens int `json:"input_tokens"`
	// OutputTokens is the number of tokens that it generated.
	OutputTokens int `json:"output_tokens"`
	// CachedTokens is the number of prompt tokens that its prefix cache answered; −1 when it does not say.
	CachedTokens int `json:"cached_tokens"`
}

// warmUp warms a point up: one request and, with full, passes of the full shape until one is not faster than the
// one before it by more than 5 %, at most five. observe is told of each pass that ended, for the ETA.
func warmUp(ctx context.Context, engine Engine, p Point, requests *PointRequests, full bool, asked terms, observe func(requests int, elapsed time.Duration)) (WarmUp, error) {
	w := WarmUp{PointID: p.ID(), Stable: true}
	single, _, err := generate(ctx, engine, requests.Single, asked)
	if err != nil {
		return w, fmt.Errorf("the single request: %w", err)
	}
	w.Single = single.Elapsed
	observe(1, single.Elapsed)
	if !full {
		return w, nil
	}
	for i, pass := range requests.WarmUp {
		g, _, err := generate(ctx, engine, pass, asked)
		if err != nil {
			return w, fmt.Errorf("warm-up pass %d: %w", i+1, err)
		}
		observe(p.Requests, g.Elapsed)
		w.Passes = append(w.Passes, g.Elapsed)
		if i > 0 {
			if w.Stable = g.Elapsed.Seconds() > 0.95*w.Passes[i-1].Seconds(); w.Stable {
				break
			}
		}
	}
	return w, nil
}

// runTrial measures a point once.
func runTrial(ctx context.Context, engine Engine, p Point, requests []Request, asked terms, watch func() func() Usage) (Trial, error) {
	t := Trial{PointID: p.ID(), Started: time.Now().UTC()}
	stop := watch()
	g, wall, err := generate(ctx, engine, requests, asked)
	t.Usage = stop()
	if err != nil {
		return t, err
	}
	t.Elapsed, t.Outside = g.Elapsed, wall-g.Elapsed
	t.Ledger = newLedger(g, requests)
	return t, nil
}

// engineError is an error of the engine's, after which it cannot be trusted.
type engineError struct{ error }

func (e engineError) Unwrap() error { return e.error }

// generate runs one pass, verifies what came back, and says how long the whole call took.
func generate(ctx context.Context, engine Engine, requests []Request, asked terms) (*vllmgo.Generation, time.Duration, error) {
	prompts := make([]vllmgo.Prompt, len(requests))
	for i, r := range requests {
		prompts[i] = r.prompt()
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
func (t terms) params(requests []Request) []vllmgo.SamplingParams {
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
		params, _ = setSampling(params, t.set)
		all = append(all, params)
		equal = equal && r.OutputLen == requests[0].OutputLen
	}
	if equal {
		return all[:1]
	}
	return all
}

// newLedger counts a verified pass.
func newLedger(g *vllmgo.Generation, requests []Request) Ledger {
	l := Ledger{PromptsSHA256: HashRequests(requests), Requests: len(g.Outputs)}
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
func verify(g *vllmgo.Generation, requests []Request, completions int, cache bool) error {
	if g.Elapsed <= 0 {
		return fmt.Errorf("the engine reports an elapsed time of %v", g.Elapsed)
	}
	if g.Shared {
		return errors.New("the engine worked for other calls meanwhile, so the time is not that of LLM.generate alone")
	}
	if len(g.Outputs) != len(requests) {
		return mismatchf(CheckCounts, "%s sent, %d outputs came back", count(len(requests), "prompt"), len(g.Outputs))
	}
	for i, output := range g.Outputs {
		if err := verifyOutput(output, requests[i], completions, cache); err != nil {
			return fmt.Errorf("request %d of %d: %w", i+1, len(requests), err)
		}
	}
	return nil
}

func verifyOutput(o vllmgo.RequestOutput, r Request, completions int, cache bool) error {
	if len(o.PromptTokenIDs) != len(r.TokenIDs) {
		return mismatchf(CheckPrompts, "the engine saw a prompt of %d tokens, %d were sent", len(o.PromptTokenIDs), len(r.TokenIDs))
	}
	if !slices.Equal(o.PromptTokenIDs, r.TokenIDs) {
		return mismatchf(CheckPrompts, "the engine saw other prompt tokens than were sent")
	}
	if o.NumCachedTokens > 0 && !cache {
		return mismatchf(CheckCache, "%d prompt tokens came from the prefix cache, which must be off", o.NumCachedTokens)
	}
	if len(o.Outputs) != completions {
		return mismatchf(CheckCounts, "%s came back, %d asked for", count(len(o.Outputs), "completion"), completions)
	}
	for _, completion := range o.Outputs {
		if len(completion.TokenIDs) != r.OutputLen {
			return mismatchf(CheckCounts, "%d tokens were generated, %d were asked for", len(completion.TokenIDs), r.OutputLen)
		}
		if completion.FinishReason != "length" {
			return mismatchf(CheckFinish, "it finished for the reason %q, not \"length\"", completion.FinishReason)
		}
	}
	return nil
}
