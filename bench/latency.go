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
	"vllmgo/internal/machine"
)

const (
	// latencyRequests is the number of requests after which a point has enough passes, and latencyPasses the most
	// passes.
	latencyRequests = 100
	latencyPasses   = 10
	// countersInterval is the time between two readings of the scheduler's counts.
	countersInterval = 20 * time.Millisecond
)

// passesFor is the number of latency passes of a point.
func passesFor(p workload.Point) int {
	return min(latencyPasses, (latencyRequests+p.Requests-1)/p.Requests)
}

// runLatency measures the times of a point's requests once.
func runLatency(ctx context.Context, engine TimedEngine, p workload.Point, requests []workload.Request, asked terms, watch func() func() journal.Usage) (journal.LatencyPass, error) {
	l := journal.LatencyPass{PointID: p.ID()}
	used, counted := watch(), watchCounters(ctx, engine)
	g, _, err := generate(ctx, engine, requests, asked)
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
func watchCounters(ctx context.Context, engine TimedEngine) func() []journal.Counters {
	var all []journal.Counters
	began := time.Now()
	stop := machine.Sample(countersInterval, func() {
		if c, err := engine.Counters(ctx); err == nil { // else this reading is missing
			c.At = time.Since(began)
			all = append(all, c)
		}
	})
	return func() []journal.Counters {
		stop()
		return all
	}
}

// runLatencies measures the latencies of a group's points on an engine with statistics. Failures are in the journal; the error
// is the journal's.
func (r *runner) runLatencies(ctx context.Context, g EngineGroup) error {
	r.engines++
	number := r.engines
	args := g.Args
	args.DisableLogStats = new(false)
	var runs []*pointRun
	var ids []workload.PointID
	for _, p := range g.Points {
		requests, err := r.Requests.Point(ctx, p)
		if err != nil {
			continue // its throughput has failed for the same reason
		}
		runs = append(runs, &pointRun{Point: p, requests: requests})
		ids = append(ids, p.ID())
	}
	if err := r.journal.Append(journal.Record{Begin: &journal.Begin{Engine: number, Points: ids, Latency: true}}); err != nil {
		return err
	}
	r.progress.line("engine %d: loading %s with statistics, for latencies …", number, r.ModelName)
	engine, rec, err := r.open(ctx, args, runs)
	if err == nil {
		rec.Number = number
		err = r.timeAll(ctx, engine, rec, runs)
		if closeErr := closeEngine(engine); closeErr != nil {
			err = errors.Join(err, r.journal.Append(journal.Record{Failure: &journal.Failure{Engine: number, Reason: fmt.Sprintf("the engine did not close: %v", closeErr)}}))
		}
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	for _, p := range runs {
		if err := r.failLatency(number, p.Point, fmt.Errorf("the engine did not open: %w", err)); err != nil {
			return err
		}
	}
	return nil
}

// timeAll times the requests of points on one engine.
func (r *runner) timeAll(ctx context.Context, engine Engine, rec *journal.Engine, points []*pointRun) error {
	if err := r.journal.Append(journal.Record{Engine: rec}); err != nil {
		return err
	}
	timed, ok := engine.(TimedEngine)
	e := engineRun{runner: r, Engine: engine, rec: rec}
	for _, p := range points {
		err := errors.New("the engine does not time its requests")
		if ok {
			r.progress.status("%s: latencies …", p)
			err = r.timePoint(ctx, timed, rec, p, e.terms(p))
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if err := r.failLatency(rec.Number, p.Point, err); err != nil {
				return err
			}
			continue
		}
		r.progress.line("%s: latencies of %s", p, format.Count(p.Requests*passesFor(p.Point), "request"))
	}
	return nil
}

// timePoint warms a point up and times its requests.
func (r *runner) timePoint(ctx context.Context, engine TimedEngine, rec *journal.Engine, p *pointRun, asked terms) error {
	if _, err := warmUp(ctx, engine, p.Point, p.requests, true, asked, func(int, time.Duration) {}); err != nil {
		return err
	}
	for pass := r.past.Passes(p.ID()); pass < passesFor(p.Point); pass++ {
		requests, err := p.requests.Trial(ctx, pass+1)
		if err != nil {
			return err
		}
		l, err := runLatency(ctx, engine, p.Point, requests, asked, func() func() journal.Usage { return machine.Watch(rec.GPUs, r.onGPUs) })
		if err != nil {
			return err
		}
		l.Pass, l.Engine = pass+1, rec.Number
		if err := r.journal.Append(journal.Record{Latency: &l}); err != nil {
			return err
		}
	}
	return nil
}

// failLatency records that a point's latencies could not be measured.
func (r *runner) failLatency(engine int, p workload.Point, reason error) error {
	r.progress.line("%s: no latencies: %s", p, format.FirstLine(reason))
	return r.journal.Append(journal.Record{Failure: &journal.Failure{Engine: engine, Point: new(p.ID()), Latency: true, Check: checkOf(reason), Reason: reason.Error()}})
}

// timed reports whether a point's latencies are there, have failed, or need not be measured since the point failed.
func timed(j *journal.Journal, p workload.Point) bool {
	return j.Passes(p.ID()) >= passesFor(p) ||
		slices.ContainsFunc(j.Failures, func(f journal.Failure) bool { return f.Point != nil && *f.Point == p.ID() })
}
