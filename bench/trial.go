package bench

import (
	"context"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// runTrial measures a point once.
func runTrial(
	ctx context.Context,
	engine Engine,
	p workload.Point,
	requests []workload.Request,
	asked terms,
	watch func() (stop func() journal.Usage),
) (journal.Trial, error) {
	t := journal.Trial{PointID: p.ID(), Started: time.Now().UTC()}
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
