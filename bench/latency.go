package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

const (
	// countersInterval is the time between two readings of the scheduler's counts.
	countersInterval = 20 * time.Millisecond
)

// timeRequests measures the latencies of a group's points in one engine with statistics. It returns
// the points that need another engine.
func (r *runner) timeRequests(ctx context.Context, g engines.Group) (left []workload.Point, err error) {
	args := g.Args
	args.DisableLogStats = new(false)
	var points []*pointRun
	for _, p := range g.Points {
		// A point whose requests do not exist has no throughput either, for the same reason.
		if requests, err := r.requestsOf(ctx, p); err == nil {
			points = append(points, &pointRun{Point: p, requests: requests})
		}
	}
	err = r.withEngine(ctx, opening{
		what: r.ModelName + " with statistics, for latencies", args: args, points: points, latency: true,
		use: func(engine Engine, rec *journal.Engine) error {
			e := &engineRun{runner: r, Engine: engine, rec: rec}
			for i, p := range points {
				switch err := e.latencies(ctx, p); {
				case errors.Is(err, errEngineLost):
					for _, p := range points[i+1:] {
						left = append(left, p.Point)
					}
					return nil
				case err != nil:
					return err
				}
			}
			return nil
		},
		fail: r.failLatency,
	})
	return left, err
}

// latencies measures the latencies of a point. A failure is in the journal. It returns
// errEngineLost after an error of the engine.
func (e *engineRun) latencies(ctx context.Context, p *pointRun) error {
	e.progress.status("%s: latencies …", p)
	err := e.timePoint(ctx, p)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		if err := e.failLatency(e.rec.Number, p.Point, err); err != nil {
			return err
		}
		if _, lost := errors.AsType[engineError](err); lost {
			return errEngineLost
		}
		return nil
	}
	e.progress.line("%s: latencies of %s", p, format.Count(p.Requests*engines.LatencyPasses(p.Point), "request"))
	return nil
}

// timePoint warms a point up and times its requests.
func (e *engineRun) timePoint(ctx context.Context, p *pointRun) error {
	engine, ok := e.Engine.(TimedEngine)
	if !ok {
		return errors.New("the engine does not time its requests")
	}
	if _, err := warmUp(ctx, e.limited(), p, true, e.terms(p), func(int, time.Duration) {}); err != nil {
		return err
	}
	for pass := e.past.Passes(p.ID()); pass < engines.LatencyPasses(p.Point); pass++ {
		requests, err := p.requests.Trial(ctx, pass+1)
		if err != nil {
			return err
		}
		l, err := e.latencyPass(ctx, engine, p, requests)
		if err != nil {
			return err
		}
		l.Pass, l.Engine = pass+1, e.rec.Number
		if err := e.journal.Append(journal.Record{Latency: &l}); err != nil {
			return err
		}
	}
	return nil
}

// latencyPass measures the times of a point's requests once.
func (e *engineRun) latencyPass(
	ctx context.Context,
	engine TimedEngine,
	p *pointRun,
	requests []workload.Request,
) (journal.LatencyPass, error) {
	l := journal.LatencyPass{PointID: p.ID()}
	used, counted := e.watch(), watchCounters(ctx, engine)
	g, _, err := generate(ctx, e.limited(), requests, e.terms(p))
	l.Counters, l.Usage = counted(), used()
	if err != nil {
		return l, err
	}
	l.Elapsed, l.Ledger = g.Elapsed, newLedger(g, requests)
	if l.Requests, err = engine.Times(g); err != nil {
		return l, fmt.Errorf("the engine does not say its requests' times: %w", err)
	}
	if len(l.Requests) != len(requests) {
		return l, fmt.Errorf("the engine timed %d of %s", len(l.Requests), format.Count(len(requests), "request"))
	}
	for i, r := range l.Requests {
		if r.TTFT <= 0 || r.E2E < r.TTFT {
			return l, fmt.Errorf("request %d: its first token came after %v and its last after %v", i+1, r.TTFT, r.E2E)
		}
	}
	return l, nil
}

// watchCounters reads the scheduler's counts until the function that it returns is called.
func watchCounters(ctx context.Context, engine TimedEngine) (stop func() []journal.Counters) {
	var all []journal.Counters
	began := time.Now()
	end := machine.Sample(countersInterval, func() {
		if c, err := engine.Counters(ctx); err == nil { // else this reading is missing
			c.At = time.Since(began)
			all = append(all, c)
		}
	})
	return func() []journal.Counters {
		end()
		return all
	}
}

// failLatency records that a point's latencies could not be measured.
func (r *runner) failLatency(engine int, p workload.Point, reason error) error {
	r.progress.line("%s: no latencies: %s", p, format.FirstLine(reason))
	return r.journal.Append(journal.Record{Failure: &journal.Failure{
		Engine: engine, Point: new(p.ID()), Latency: true, Check: checkOf(reason), Reason: reason.Error(),
	}})
}
