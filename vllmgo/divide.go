package vllmgo

import (
	"context"
	"slices"
	"sync"
	"time"
)

// split divides n prompts among the replicas that are alive, so that each has as much to do as the
// others, and runs fn for each part, a range of prompts and the replica that is to have it, at
// once. It returns the first error.
func (r *replicas) split(
	ctx context.Context,
	n int,
	fn func(ctx context.Context, at *replica, from, to int) error,
) error {
	all, err := r.alive(ctx)
	if err != nil {
		return err
	}
	d, from := newDivision(ctx), 0
	for i, size := range r.shares(all, n) {
		if size > 0 {
			start := from
			d.run(func(ctx context.Context) error { return fn(ctx, all[i], start, start+size) })
			from += size
		}
	}
	return d.wait()
}

// shares returns how many of n prompts each replica gets, so that the loads become as equal as they
// can.
func (r *replicas) shares(all []*replica, n int) []int {
	loads := make([]int, len(all))
	r.mu.Lock()
	for i, each := range all {
		loads[i] = each.load
	}
	r.mu.Unlock()
	return level(loads, n)
}

// level returns what each of loads gets of n more, so that the highest is as low as it can be.
func level(loads []int, n int) []int {
	shares := make([]int, len(loads))
	order := make([]int, len(loads))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return loads[a] - loads[b] })
	// The lowest k get up to the same height: the last k for which all are below it.
	sum, k := n, 0
	for k < len(order) && (k == 0 || loads[order[k]]*k < sum) {
		sum += loads[order[k]]
		k++
	}
	height, rest := sum/k, sum%k
	for i, at := range order[:k] {
		shares[at] = height - loads[at]
		if i < rest {
			shares[at]++
		}
	}
	return shares
}

// division is one call in parts that run at once.
type division struct {
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	mu   sync.Mutex
	err  error // the first
}

func newDivision(ctx context.Context) *division {
	d := &division{}
	d.ctx, d.stop = context.WithCancel(ctx)
	return d
}

// run runs a part. Its error stops the others.
func (d *division) run(fn func(ctx context.Context) error) {
	d.wg.Go(func() {
		err := fn(d.ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		if err != nil && d.err == nil {
			d.err = err
			d.stop()
		}
	})
}

// wait waits for all parts.
func (d *division) wait() error {
	d.wg.Wait()
	d.stop()
	return d.err
}

// generate completes the prompts of a batch. With several replicas, each takes a part at once; when
// there are more prompts than the engines run at a time, replicas take more as some end, so that
// none runs out.
func (r *replicas) generate(b *batch) error {
	if r.open == nil || len(b.prompts) == 1 {
		err := r.do(b)
		if err == nil {
			b.reportEnd(nil)
		}
		return err
	}
	all, err := r.alive(b.ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	b.generation = &Generation{Outputs: make([]RequestOutput, len(b.prompts))}
	g := &generating{replicas: r, batch: b, division: newDivision(b.ctx)}
	most := all[0].maxNumSeqs + max(all[0].maxNumSeqs/4, 1) // so that some wait in the engine
	if slices.ContainsFunc(b.prompts, func(p Prompt) bool { return p.Priority != 0 }) {
		most = len(b.prompts) // for the engines to order
	}
	g.chunk = max(most/8, 1)
	sizes := r.shares(all, len(b.prompts))
	g.pulls = slices.Max(sizes) > most
	g.mu.Lock() // until each replica has its first part
	for i, size := range sizes {
		g.run(min(size, most), all[i])
	}
	g.mu.Unlock()
	err = g.division.wait()
	b.generation.Elapsed = time.Since(started)
	return err
}

// generating is a batch whose prompts replicas take.
type generating struct {
	replicas *replicas
	batch    *batch
	division *division
	pulls    bool // whether parts are taken one after another
	chunk    int  // prompts that are taken at once, after the first

	mu    sync.Mutex
	taken int
}

// take gives the next n prompts to the replica with the lowest load.
func (g *generating) take(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run(n, nil)
}

// run gives the next n prompts to a replica or, if that is nil, to the one with the lowest load.
// The caller holds mu.
func (g *generating) run(n int, at *replica) {
	from := g.taken
	g.taken = min(from+n, len(g.batch.prompts))
	to := g.taken
	if from < to {
		g.division.run(func(ctx context.Context) error { return g.complete(ctx, at, from, to) })
	}
}

// complete completes a part of the prompts. As they end, it takes more.
func (g *generating) complete(ctx context.Context, at *replica, from, to int) error {
	part := &batch{
		callBase: callBase{
			ctx: ctx,
			at:  at,
		},
		input:      g.batch.input.part(from, to),
		unfinished: to - from,
		report:     g.batch.report,
	}
	if g.pulls {
		part.merged, part.continues, part.onFinished = true, at == nil, g.pull(to-from)
	}
	if err := g.replicas.do(part); err != nil {
		return err
	}
	part.reportEnd(nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	copy(g.batch.generation.Outputs[from:to], part.generation.Outputs)
	g.batch.generation.Shared = g.batch.generation.Shared || part.generation.Shared && !g.pulls
	return nil
}

// pull returns what is called as each prompt of a part of size prompts ends: it takes as many more
// as have ended, a chunk at a time.
func (g *generating) pull(size int) func() {
	ended, pulled := 0, 0
	return func() { // on the replica's own goroutine
		if ended++; ended-pulled == g.chunk || ended == size {
			g.take(ended - pulled)
			pulled = ended
		}
	}
}
