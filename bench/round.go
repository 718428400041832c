package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"vllmgo/bench/internal/ask"
	"vllmgo/bench/internal/engines"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/internal/random"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// errEngineLost means that an engine cannot be used any more. Its unmeasured points need another
// one.
var errEngineLost = errors.New("the engine is lost")

// engineRun measures points in one engine.
type engineRun struct {
	*runner
	Engine
	rec *journal.Engine
	// points are those that are not done. At the end, they need another engine.
	points   []*pointRun
	groups   []engines.Group // the engine's group, and those that follow
	began    time.Time       // when loading began
	deadline time.Time       // of the trials; zero means none
}

// runRounds warms all points up and measures them in rounds, until all are done, the budget is
// spent, or the engine is lost.
func (e *engineRun) runRounds(ctx context.Context) error {
	for _, p := range slices.Clone(e.points) {
		if err := e.warmUpPoint(ctx, p); err != nil {
			return err
		}
	}
	e.deadline = e.progress.deadline(e.groups, time.Since(e.began))
	for round := 1; len(e.points) > 0; round++ {
		for _, p := range e.order(round) {
			next := e.trial
			if e.tooLong(p) {
				next = e.outOfBudget
			}
			if err := next(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// order returns the points in the random order of a round. It depends on the seed, the number of
// the engine and the round alone.
func (e *engineRun) order(round int) []*pointRun {
	stream := random.Stream("vllmgo/bench order seed=%d engine=%d round=%d", e.Requests.Seed, e.rec.Number, round)
	return random.Shuffled(stream, e.points)
}

// tooLong reports whether another trial of a point would end after the deadline. The first never
// is.
func (e *engineRun) tooLong(p *pointRun) bool {
	return len(e.times[p.ID()]) > 0 && !e.deadline.IsZero() && time.Now().Add(p.cost).After(e.deadline)
}

// drop takes a point off the list.
func (e *engineRun) drop(p workload.Point) {
	e.points = slices.DeleteFunc(e.points, func(q *pointRun) bool { return q.ID() == p.ID() })
	e.progress.drop(p)
}

// outOfBudget records that a point has no more trials because the budget is spent.
func (e *engineRun) outOfBudget(_ context.Context, p *pointRun) error {
	e.drop(p.Point)
	return e.journal.Append(journal.Record{Done: new(p.ID())})
}

// warmUpPoint warms a point up and records it.
func (e *engineRun) warmUpPoint(ctx context.Context, p *pointRun) error {
	e.progress.status("%s: warming up, %s …", p, p.Shape())
	if err := checkLongest(p.Point, e.rec.Info.MaxModelLen, "engine"); err != nil {
		return e.failed(ctx, p, 0, err)
	}
	if err := e.begin(p, 0); err != nil {
		return err
	}
	w, err := warmUp(
		ctx,
		e.limited(),
		p,
		e.WarmUp == journal.WarmUpFull,
		e.terms(p),
		func(requests int, elapsed time.Duration) {
			e.progress.pass(p.Point, requests, e.rec.Args.MaxNumSeqs, elapsed)
		},
	)
	if err != nil {
		return e.failed(ctx, p, 0, err)
	}
	w.Engine = e.rec.Number
	p.cost = w.Single
	if len(w.Passes) > 0 {
		p.cost = w.Passes[len(w.Passes)-1]
	}
	e.progress.warmedUp(p.Point)
	return e.journal.Append(journal.Record{WarmUp: &w})
}

// trial measures a point once.
func (e *engineRun) trial(ctx context.Context, p *pointRun) error {
	number := len(e.times[p.ID()]) + 1
	e.progress.status("%s, trial %d: %s …", p, number, p.Shape())
	requests, err := e.drawTrial(ctx, p, number)
	if err := e.begin(p, number); err != nil {
		return err
	}
	if err != nil {
		return e.failed(ctx, p, number, err)
	}
	t, err := runTrial(ctx, e.limited(), p.Point, requests, e.terms(p), e.watch)
	if err != nil {
		return e.failed(ctx, p, number, err)
	}
	t.Trial = number
	t.Engine = e.rec.Number
	t.PeakKVTokens = p.Point.PeakKVTokens(e.rec.Args.MaxNumSeqs, e.rec.Info.BlockSize)
	times := append(e.times[p.ID()], t.Elapsed)
	e.times[p.ID()] = times
	p.cost = t.Elapsed + t.Outside
	e.progress.pass(p.Point, p.Requests, e.rec.Args.MaxNumSeqs, t.Elapsed)
	others := e.others(p.ID())
	if t.Stopped = e.Stopping.Stop(times, others...); t.Stopped != "" {
		e.drop(p.Point)
	}
	e.progress.trialDone(p.Point, times, others...)
	return e.journal.Append(journal.Record{Trial: &t})
}

// drawTrial draws the requests of a trial and compares them with those of a run that is repeated.
func (e *engineRun) drawTrial(ctx context.Context, p *pointRun, number int) ([]workload.Request, error) {
	requests, err := p.requests.Trial(ctx, number)
	if err != nil {
		return nil, err
	}
	if err := e.Expect.Verify(p.ID(), number, requests); err != nil {
		return nil, mismatch{journal.CheckPrompts, err}
	}
	return requests, nil
}

// begin records that a point's warm-up or trial begins.
func (e *engineRun) begin(p *pointRun, trial int) error {
	return e.journal.Append(
		journal.Record{Begin: &journal.Begin{Engine: e.rec.Number, Points: []workload.PointID{p.ID()}, Trial: trial}},
	)
}

// failed records that a point failed. It returns the cause when ctx has ended, which is not a
// failure, and errEngineLost after an error of the engine.
func (e *engineRun) failed(ctx context.Context, p *pointRun, trial int, reason error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.drop(p.Point)
	if err := e.fail(e.rec.Number, p.Point, trial, reason); err != nil {
		return err
	}
	if _, lost := errors.AsType[engineError](reason); lost {
		return errEngineLost
	}
	return nil
}

// watch begins to watch the machine and the engine's GPUs.
func (e *engineRun) watch() (stop func() journal.Usage) { return machine.Watch(e.rec.GPUs, e.onGPUs) }

// limited returns the engine with a time limit for each pass.
func (e *engineRun) limited() Engine {
	if e.Timeout == 0 {
		return e.Engine
	}
	return limitedEngine{e.Engine, e.Timeout}
}

// terms returns what is asked of the engine for a point's requests.
func (e *engineRun) terms(p *pointRun) terms {
	cache := e.rec.Args.EnablePrefixCaching
	return terms{ask.Terms{Detokenize: !e.EngineArgs.SkipTokenizerInit, Set: p.Set}, cache != nil && *cache}
}
