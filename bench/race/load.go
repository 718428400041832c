package race

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// warmUps is the number of untimed passes of each point's full shape.
	warmUps = 2
	// firstWarmUp is the number of the first warm-up pass. It differs from every round's, so that a
	// warm-up has other prompts than the rounds.
	firstWarmUp = 1 << 20
)

// load loads the contenders of the heat and warms them up, one after the other. With LoadTogether,
// all load at the same time. It leaves them stopped.
func (h *heat) load(ctx context.Context) error {
	starts, wait := h.starts(ctx)
	defer wait()
	for i, c := range slices.Clone(h.racers) {
		h.line("engine settings %d: loading %s …", h.number, c.Name)
		loaded, err := starts[i]()
		if err == nil && !c.Kind.perPoint() {
			c.resume()
			loaded.WarmUp, err = h.warmUp(ctx, c)
			c.stop()
		}
		if err != nil {
			err = h.dropOut(ctx, c, err)
		} else {
			loaded.Together = h.LoadTogether
			err = h.journal.Append(record{Loaded: &loaded})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// starts returns a function for each contender that returns once its engine is loaded. With
// LoadTogether, all begin to load at once, otherwise each when its function is called. The function
// wait cancels those that still load and returns when none does.
func (h *heat) starts(ctx context.Context) (starts []func() (Loaded, error), wait func()) {
	ctx, cancel := context.WithCancel(ctx)
	var loading sync.WaitGroup
	for _, c := range h.racers {
		start := sync.OnceValues(func() (Loaded, error) { return c.start(ctx, h.points[0]) })
		if h.LoadTogether {
			loading.Go(func() { _, _ = start() }) // load calls it too, and has its error
		}
		starts = append(starts, start)
	}
	return starts, func() {
		cancel()
		loading.Wait()
	}
}

// warmUp runs each point's full shape a few times. It returns how long the first pass of all points
// took.
func (h *heat) warmUp(ctx context.Context, c *racer) (time.Duration, error) {
	first := time.Duration(0)
	for i := range warmUps {
		for _, p := range h.points {
			t, err := c.pass(ctx, p, firstWarmUp+i)
			if err != nil {
				return 0, err
			}
			if i == 0 {
				first += t.Wall
			}
		}
	}
	return first, nil
}
