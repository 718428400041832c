package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vllmgo/vllmgo"
)

// TimedEngine is an engine that also times each request and counts what its scheduler does. It is opened with
// EngineArgs.DisableLogStats false, and needed for the latency pass alone.
type TimedEngine interface {
	Engine
	// Times are the times of each request of a generation that it made, in order.
	Times(g *vllmgo.Generation) ([]RequestTimes, error)
	// Counters are the scheduler's counts as of its last step. It is called while Generate runs.
	Counters(ctx context.Context) (Counters, error)
}

// RequestTimes are the times of one request. None is the difference of two clocks.
type RequestTimes struct {
	// Queue is the time from the engine's taking in to the first scheduling.
	Queue time.Duration `json:"queue_ns"`
	// TTFT is the time from arrival to the first token.
	TTFT time.Duration `json:"ttft_ns"`
	// E2E is the time from arrival to the last token.
	E2E time.Duration `json:"e2e_ns"`
	// ITL are the times between the steps that gave tokens.
	ITL []time.Duration `json:"itl_ns"`
}

// Counters are what a scheduler does at a moment.
type Counters struct {
	// At is the time since the pass began.
	At time.Duration `json:"at_ns"`
	// Running and Waiting are numbers of requests.
	Running int `json:"running"`
	Waiting int `json:"waiting"`
	// Preemptions counts from the making of the engine.
	Preemptions int `json:"preemptions"`
	// KVUse is the share of the KV cache in use.
	KVUse float64 `json:"kv_use"`
}

// LatencyPass is one pass of a point on an engine with statistics.
type LatencyPass struct {
	PointID
	// Pass counts a point's passes from 1.
	Pass int `json:"pass"`
	// Engine is the number of the engine that ran it.
	Engine int `json:"engine"`
	// Elapsed is the time of LLM.generate alone.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Ledger accounts for the requests.
	Ledger Ledger `json:"ledger"`
	// Requests are the times of each request.
	Requests []RequestTimes `json:"requests"`
	// Counters are the scheduler's counts over time.
	Counters []Counters `json:"counters,omitempty"`
	// Usage is what the machine did meanwhile.
	Usage Usage `json:"usage"`
}

// Goodput are the limits that a request must keep to count; 0 means no limit.
type Goodput struct {
	TTFT time.Duration `json:"ttft_ns,omitempty"`
	TPOT time.Duration `json:"tpot_ns,omitempty"`
	E2E  time.Duration `json:"e2e_ns,omitempty"`
}

const (
	// latencyRequests is the number of requests after which a point has enough passes, and latencyPasses the most
	// passes.
	latencyRequests = 100
	latencyPasses   = 10
	// countersInterval is the time between two readings of the scheduler's counts.
	countersInterval = 20 * time.Millisecond
)

// passesFor is the number of latency passes of a point.
func passesFor(p Point) int {
	return min(latencyPasses, (latencyRequests+p.Requests-1)/p.Requests)
}

// runLatency measures the times of a point's requests once.
func runLatency(ctx context.Context, engine TimedEngine, p Point, requests []Request, asked terms, watch func() func() Usage) (LatencyPass, error) {
	l := LatencyPass{PointID: p.ID()}
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
		return l, fmt.Errorf("the engine timed %d of %s", len(l.Requests), count(len(requests), "request"))
	}
	for i, r := range l.Requests {
		if r.TTFT <= 0 || r.E2E < r.TTFT {
			return l, fmt.Errorf("request %d: its first token came after %v and its last after %v", i+1, r.TTFT, r.E2E)
		}
	}
	return l, nil
}

// watchCounters reads the scheduler's counts until the function that it returns is called.
func watchCounters(ctx context.Context, engine TimedEngine) func() []Counters {
	var all []Counters
	began := time.Now()
	stop := sample(countersInterval, func() {
		if c, err := engine.Counters(ctx); err == nil { // else this reading is missing
			c.At = time.Since(began)
			all = append(all, c)
		}
	})
	return func() []Counters {
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
	var ids []PointID
	for _, p := range g.Points {
		requests, err := r.Requests.Point(ctx, p)
		if err != nil {
			continue // its throughput has failed for the same reason
		}
		runs = append(runs, &pointRun{Point: p, requests: requests})
		ids = append(ids, p.ID())
	}
	if err := r.journal.append(record{Begin: &Begin{Engine: number, Points: ids, Latency: true}}); err != nil {
		return err
	}
	r.progress.line("engine %d: loading %s with statistics, for latencies …", number, r.ModelName)
	engine, rec, err := r.open(ctx, args, runs)
	if err == nil {
		rec.Number = number
		err = r.timeAll(ctx, engine, rec, runs)
		if closeErr := closeEngine(engine); closeErr != nil {
			err = errors.Join(err, r.journal.append(record{Failure: &Failure{Engine: number, Reason: fmt.Sprintf("the engine did not close: %v", closeErr)}}))
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
func (r *runner) timeAll(ctx context.Context, engine Engine, rec *EngineRecord, points []*pointRun) error {
	if err := r.journal.append(record{Engine: rec}); err != nil {
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
		r.progress.line("%s: latencies of %s", p, count(p.Requests*passesFor(p.Point), "request"))
	}
	return nil
}

// timePoint warms a point up and times its requests.
func (r *runner) timePoint(ctx context.Context, engine TimedEngine, rec *EngineRecord, p *pointRun, asked terms) error {
	if _, err := warmUp(ctx, engine, p.Point, p.requests, true, asked, func(int, time.Duration) {}); err != nil {
		return err
	}
	for pass := r.past.passes(p.ID()); pass < passesFor(p.Point); pass++ {
		requests, err := p.requests.Trial(ctx, pass+1)
		if err != nil {
			return err
		}
		l, err := runLatency(ctx, engine, p.Point, requests, asked, func() func() Usage { return watchMachine(rec.GPUs, r.onGPUs) })
		if err != nil {
			return err
		}
		l.Pass, l.Engine = pass+1, rec.Number
		if err := r.journal.append(record{Latency: &l}); err != nil {
			return err
		}
	}
	return nil
}

// failLatency records that a point's latencies could not be measured.
func (r *runner) failLatency(engine int, p Point, reason error) error {
	r.progress.line("%s: no latencies: %s", p, firstLine(reason))
	return r.journal.append(record{Failure: &Failure{Engine: engine, Point: new(p.ID()), Latency: true, Check: checkOf(reason), Reason: reason.Error()}})
}

// timed reports whether a point's latencies are there, have failed, or need not be measured since the point failed.
func timed(j *Journal, p Point) bool {
	return j.passes(p.ID()) >= passesFor(p) ||
		slices.ContainsFunc(j.Failures, func(f Failure) bool { return f.Point != nil && *f.Point == p.ID() })
}

// passes is the number of a point's latency passes.
func (j *Journal) passes(p PointID) int {
	n := 0
	for _, l := range j.Latencies {
		if l.PointID == p {
			n++
		}
	}
	return n
}
