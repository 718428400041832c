package bench

import (
	"context"
	"fmt"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// warmUp warms a point up: one request and, with full, passes of the full shape until one is not faster than the
// one before it by more than 5 %, at most five. observe is told of each pass that ended, for the ETA.
func warmUp(ctx context.Context, engine Engine, p workload.Point, requests *workload.PointRequests, full bool, asked terms, observe func(requests int, elapsed time.Duration)) (journal.WarmUp, error) {
	w := journal.WarmUp{PointID: p.ID(), Stable: true}
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
