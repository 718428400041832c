package bench

import (
	"context"
	"fmt"
	"time"

	"vllmgo/bench/journal"
)

// stablePass bounds what a warm-up pass may still gain. Times are stable when a pass takes more
// than stablePass times the time of the pass before.
const stablePass = 0.95

// warmUp warms a point up with one request and, when full is true, with passes of the point's full
// shape. The passes end when times are stable: when a pass saves less than 5 % of the time of the
// pass before. There are at most five. warmUp calls observe after each pass.
func warmUp(
	ctx context.Context,
	engine Engine,
	p *pointRun,
	full bool,
	asked terms,
	observe func(requests int, elapsed time.Duration),
) (journal.WarmUp, error) {
	w := journal.WarmUp{PointID: p.ID(), Stable: true}
	single, _, err := generate(ctx, engine, p.requests.Single, asked)
	if err != nil {
		return w, fmt.Errorf("the single request: %w", err)
	}
	w.Single = single.Elapsed
	observe(1, single.Elapsed)
	if !full {
		return w, nil
	}
	for i, pass := range p.requests.WarmUp {
		g, _, err := generate(ctx, engine, pass, asked)
		if err != nil {
			return w, fmt.Errorf("warm-up pass %d: %w", i+1, err)
		}
		observe(p.Requests, g.Elapsed)
		w.Passes = append(w.Passes, g.Elapsed)
		if i > 0 {
			if w.Stable = g.Elapsed.Seconds() > stablePass*w.Passes[i-1].Seconds(); w.Stable {
				break
			}
		}
	}
	return w, nil
}
