package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// engineRun is the measuring on one engine.
type engineRun struct {
	*runner
	Engine
	rec *journal.Engine
	// points are those that are not done: at the end, those that need another engine.
	points   []*pointRun
	groups   []EngineGroup // that of the engine, and those to come
	began    time.Time     // when loading began
	deadline time.Time     // zero: none
}

// measure warms all points up and then measures them in rounds, until all are done, the budget is spent, or the
// engine is lost. The error is the journal's.
func (e *engineRun) measure(ctx context.Context) error {
	for _, p := range slices.Clone(e.points) {
		if lost, err := e.warmUp(ctx, p); lost || err != nil || ctx.Err() != nil {
			return err
		}
	}
	e.deadline = e.progress.share(e.groups, time.Since(e.began))
	for round := 1; len(e.points) > 0; round++ {
		for _, p := range e.order(round) {
			if e.tooLong(p) {
				e.done(p)
				if err := e.journal.Append(journal.Record{Done: new(p.ID())}); err != nil {
					return err
				}
			} else if lost, err := e.trial(ctx, p); lost || err != nil || ctx.Err() != nil {
				return err
			}
		}
	}
	return nil
}

// order is the points in the random order of a round, which depends on the seed, the engine's number and
// the round alone.
func (e *engineRun) order(round int) []*pointRun {
	key := sha256.Sum256(fmt.Appendf(nil, "vllmgo/bench order seed=%d engine=%d round=%d", e.Requests.Seed, e.rec.Number, round))
	points := slices.Clone(e.points)
	rand.New(rand.NewChaCha8(key)).Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	return points
}

// tooLong reports whether another trial of the point would end after the deadline. The first never is.
func (e *engineRun) tooLong(p *pointRun) bool {
	return len(p.times) > 0 && !e.deadline.IsZero() && time.Now().Add(p.cost).After(e.deadline)
}

// done takes a point off the list.
func (e *engineRun) done(p *pointRun) {
	e.points = slices.DeleteFunc(e.points, func(q *pointRun) bool { return q == p })
	e.progress.drop(p.Point)
}

// warmUp warms a point up. lost says that the engine cannot go on.
func (e *engineRun) warmUp(ctx context.Context, p *pointRun) (lost bool, err error) {
	e.progress.status("%s: warming up, %s …", p, p.Shape())
	if longest, _ := p.Longest(); longest > e.rec.Info.MaxModelLen {
		return e.failed(p, 0, fmt.Errorf("a sequence of %d tokens, input and output, exceeds the engine's max_model_len of %d",
			longest, e.rec.Info.MaxModelLen))
	}
	if err := e.begin(p, 0); err != nil {
		return false, err
	}
	w, err := warmUp(ctx, e.limited(), p.Point, p.requests, e.WarmUp == journal.WarmUpFull, e.terms(p), func(requests int, elapsed time.Duration) {
		e.progress.pass(p.Point, requests, e.rec.Args.MaxNumSeqs, elapsed)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return false, nil
	case err != nil:
		return e.failed(p, 0, err)
	}
	w.Engine = e.rec.Number
	p.cost = w.Single
	if len(w.Passes) > 0 {
		p.cost = w.Passes[len(w.Passes)-1]
	}
	return false, e.journal.Append(journal.Record{WarmUp: &w})
}

// trial measures a point once.
func (e *engineRun) trial(ctx context.Context, p *pointRun) (lost bool, err error) {
	number := len(p.times) + 1
	e.progress.status("%s, trial %d: %s …", p, number, p.Shape())
	requests, err := p.requests.Trial(ctx, number)
	if err == nil {
		if differ := e.Ledger.Verify(p.ID(), number, requests); differ != nil {
			err = mismatch{journal.CheckPrompts, differ}
		}
	}
	if err := e.begin(p, number); err != nil {
		return false, err
	}
	var t journal.Trial
	if err == nil {
		t, err = runTrial(ctx, e.limited(), p.Point, requests, e.terms(p), e.watch)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return false, nil
	case err != nil:
		return e.failed(p, number, err)
	}
	t.Trial = number
	t.Engine = e.rec.Number
	t.PeakKVTokens = workload.PeakKVTokens(p.Point, e.rec.Args.MaxNumSeqs, e.rec.Info.BlockSize)
	p.times = append(p.times, t.Elapsed)
	p.cost = t.Elapsed + t.Outside
	e.progress.pass(p.Point, p.Requests, e.rec.Args.MaxNumSeqs, t.Elapsed)
	if e.Stopping.Done(p.times) {
		e.done(p)
	}
	e.progress.trialDone(p)
	return false, e.journal.Append(journal.Record{Trial: &t})
}

// begin records that a point's warm-up or trial begins.
func (e *engineRun) begin(p *pointRun, trial int) error {
	return e.journal.Append(journal.Record{Begin: &journal.Begin{Engine: e.rec.Number, Points: []workload.PointID{p.ID()}, Trial: trial}})
}

// watch watches the machine and the engine's GPUs.
func (e *engineRun) watch() func() journal.Usage { return machine.Watch(e.rec.GPUs, e.onGPUs) }

// limited is the engine with a time limit for each pass.
func (e *engineRun) limited() Engine {
	if e.Timeout == 0 {
		return e.Engine
	}
	return limitedEngine{e.Engine, e.Timeout}
}

// failed records that a point failed. After an error of the engine's the engine is lost.
func (e *engineRun) failed(p *pointRun, trial int, reason error) (lost bool, err error) {
	e.done(p)
	_, lost = errors.AsType[engineError](reason)
	return lost, e.fail(e.rec.Number, p.Point, trial, reason)
}

// terms are what is asked of the engine for a point's requests.
func (e *engineRun) terms(p *pointRun) terms {
	cache := e.rec.Args.EnablePrefixCaching
	return terms{detokenize: !e.EngineArgs.SkipTokenizerInit, set: p.Set.Sampling, cache: cache != nil && *cache}
}

// limitedEngine is an engine whose passes must end in time.
type limitedEngine struct {
	Engine
	limit time.Duration
}

// Generate stops the engine when the time is up, and gives up on it when it does not stop either.
func (e limitedEngine) Generate(ctx context.Context, prompts []vllmgo.Prompt, params ...vllmgo.SamplingParams) (*vllmgo.Generation, error) {
	limited, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	type result struct {
		generation *vllmgo.Generation
		err        error
	}
	results := make(chan result, 1)
	go func() {
		g, err := e.Engine.Generate(limited, prompts, params...)
		results <- result{g, err}
	}()
	select {
	case r := <-results:
		if r.err != nil && limited.Err() != nil && ctx.Err() == nil {
			r.err = fmt.Errorf("time-out: not done after %v", e.limit)
		}
		return r.generation, r.err
	case <-time.After(e.limit + grace):
		return nil, fmt.Errorf("time-out: not done after %v, and not stopped %v later", e.limit, grace)
	}
}
