package race

import (
	"context"
	"math/rand/v2"
	"slices"

	"vllmgo/bench/internal/random"
)

// heat is the rounds that contenders race without being loaded again.
type heat struct {
	*runner
	*group
	first, last int      // the heat's rounds
	racers      []*racer // the contenders that have not dropped out
}

// runHeat loads the contenders that have something to measure in the rounds from first to last,
// runs these rounds and closes the contenders.
func (r *runner) runHeat(ctx context.Context, g *group, first, last int) error {
	h := &heat{runner: r, group: g, first: first, last: last}
	for i := range r.Contenders {
		c := r.Contenders[(first-1+i)%len(r.Contenders)]
		if h.needs(c) {
			h.racers = append(h.racers, &racer{Contender: c, settings: r.prepared, group: g.number, args: g.Args})
		}
	}
	defer h.close()
	if err := h.load(ctx); err != nil {
		return err
	}
	for round := first; round <= last && len(h.racers) > 0; round++ {
		if err := h.runRound(ctx, round); err != nil {
			return err
		}
		h.line("engine settings %d, round %d of %d", h.number, round, h.Rounds)
	}
	return nil
}

// needs reports whether a contender has something to measure in the heat.
func (h *heat) needs(c Contender) bool {
	if h.failed[c.Name] {
		return false
	}
	for round := h.first; round <= h.last; round++ {
		for _, p := range h.points {
			if h.lacks(c, p, round) {
				return true
			}
		}
	}
	return false
}

// lacks reports whether a contender is to measure a point in a round and the journal did not have
// it.
func (h *heat) lacks(c Contender, p drawnPoint, round int) bool {
	return round <= h.rounds(c) && !h.past.has(c.Name, p.ID(), round)
}

// runRound measures each point once with each contender, both in random order.
func (h *heat) runRound(ctx context.Context, round int) error {
	order := h.order(round)
	for _, p := range random.Shuffled(order, h.points) {
		for _, c := range random.Shuffled(order, h.racers) {
			if !h.lacks(c.Contender, p, round) {
				continue
			}
			if err := h.runTrial(ctx, c, p, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// order returns the source of the random order of a round. It depends on the seed, the group and
// the round alone.
func (h *heat) order(round int) *rand.Rand {
	return random.Stream("vllmgo/race order seed=%d group=%d round=%d", h.requests.Seed, h.number, round)
}

// runTrial measures a point once with a contender and records the trial. It starts nothing once ctx
// has ended.
func (h *heat) runTrial(ctx context.Context, c *racer, p drawnPoint, round int) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	t, err := c.trial(ctx, p, round)
	if err != nil {
		return h.dropOut(ctx, c, err)
	}
	return h.journal.Append(record{Trial: &t})
}

// dropOut takes a contender out of the group and records the reason. It returns the cause when ctx
// has ended, which is not a failure of the contender.
func (h *heat) dropOut(ctx context.Context, c *racer, reason error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	h.racers = slices.DeleteFunc(h.racers, func(d *racer) bool { return d == c })
	h.failed[c.Name] = true
	c.close()
	h.line("%s is out: %v", c.Name, reason)
	return h.journal.Append(record{Failure: &Failure{Contender: c.Name, Group: h.number, Reason: reason.Error()}})
}

// close ends the contenders' processes.
func (h *heat) close() {
	for _, c := range h.racers {
		c.close()
	}
}
