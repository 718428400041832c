package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// Run measures every point of the studies and writes the journal into the results directory.
//
// Points with equal engine settings share an engine. Run first warms all of them up. It then
// measures them in rounds: each round has one trial of every point that needs one, in random order,
// so that whatever changes with time changes all points alike.
//
// A point that fails is in the journal with its reason and has no further trials. After an error of
// the engine, its other points go on in another one. When an engine does not open, its points fail.
//
// Run returns an error when the settings are incomplete or the journal cannot be written. When ctx
// ends, Run closes the engine and returns the cause; the journal has what was measured by then.
func Run(ctx context.Context, s Settings) (err error) {
	if err := s.complete(); err != nil {
		return err
	}
	w, past, err := s.openJournal()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if past.Ended {
		return nil
	}
	groups, err := engines.Groups(s.Studies, s.EngineArgs)
	if err != nil {
		return err
	}
	r := newRunner(s, w, past, groups)
	defer r.progress.stop()
	if r.engines == 0 {
		r.tellLengths(groups)
	}
	if err := r.measureLimits(ctx); err != nil {
		return err
	}
	if left, err := r.measureThroughput(ctx, engines.Unfinished(groups, past)); left || err != nil {
		return err
	}
	if s.Latency {
		if left, err := r.measureLatency(ctx, groups); left || err != nil {
			return err
		}
	}
	r.progress.finish()
	return w.Append(journal.Record{End: &journal.End{At: time.Now().UTC()}})
}

// measureThroughput measures the points of groups. It reports whether OneEngine leaves some to
// another call.
func (r *runner) measureThroughput(ctx context.Context, groups []engines.Group) (left bool, err error) {
	for i, g := range groups {
		if r.mustWait(g) {
			return true, nil
		}
		points, err := r.draw(ctx, g)
		if err != nil {
			return false, err
		}
		for len(points) > 0 {
			points, err = r.runEngine(ctx, groups[i:], points)
			switch {
			case err != nil:
				return false, err
			case r.OneEngine:
				return len(points) > 0 || i < len(groups)-1, nil
			}
		}
	}
	return false, nil
}

// measureLatency measures the latencies that the journal does not have. It reports whether
// OneEngine leaves some to another call.
func (r *runner) measureLatency(ctx context.Context, groups []engines.Group) (left bool, err error) {
	loaded := r.engines > r.past.LastEngine
	if r.past, err = journal.ReadFile(filepath.Join(r.Dir, journal.FileName)); err != nil {
		return false, err
	}
	for _, g := range engines.Untimed(groups, r.past) {
		for len(g.Points) > 0 {
			if r.OneEngine && loaded || r.mustWait(g) {
				return true, nil
			}
			if g.Points, err = r.timeRequests(ctx, g); err != nil {
				return false, err
			}
			loaded = true
		}
	}
	return false, nil
}

// runEngine measures points in one engine with the settings of the first group. It returns the
// points that need another engine.
func (r *runner) runEngine(ctx context.Context, groups []engines.Group, points []*pointRun) ([]*pointRun, error) {
	e := &engineRun{runner: r, points: slices.Clone(points), groups: groups, began: time.Now()}
	args := groups[0].Args
	err := r.withEngine(ctx, opening{
		what: fmt.Sprintf(
			"%s (max_num_batched_tokens %d, max_num_seqs %d)",
			r.ModelName,
			args.MaxNumBatchedTokens,
			args.MaxNumSeqs,
		),
		args:   args,
		points: points,
		use: func(engine Engine, rec *journal.Engine) error {
			e.Engine, e.rec = engine, rec
			if err := e.runRounds(ctx); !errors.Is(err, errEngineLost) {
				return err
			}
			return nil
		},
		fail: func(number int, p workload.Point, reason error) error {
			e.drop(p)
			return r.fail(number, p, 0, reason)
		},
	})
	return e.points, err
}
