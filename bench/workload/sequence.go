package workload

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

// Sequence returns the requests of a point one after the other. It draws each when it is taken, and
// forgets it. Passes with different names have different requests. The sequence ends after an
// error.
//
// Sequence does not compare the prompts. It therefore returns an error when two of them could be
// alike with a probability above 10⁻⁹, and also when the point has a shared prefix.
func (q Requests) Sequence(ctx context.Context, p Point, pass string) iter.Seq2[Request, error] {
	return func(yield func(Request, error) bool) {
		d, err := q.sequenceDrawer(ctx, p)
		if err != nil {
			yield(Request{}, err)
			return
		}
		stream := q.stream(p, 1, pass)
		for i := range p.Requests {
			length := RequestLength{p.InputLen, p.OutputLen}
			if p.Lengths != nil {
				length = p.Lengths[i]
			}
			request, err := d.draw(ctx, stream, length)
			if !yield(request, err) || err != nil {
				return
			}
		}
	}
}

// CheckSequence returns the error with which [Requests.Sequence] refuses a point; nil when it
// accepts it.
func (q Requests) CheckSequence(ctx context.Context, p Point) error {
	_, err := q.sequenceDrawer(ctx, p)
	return err
}

// sequenceDrawer returns what draws the prompts of a sequence.
func (q Requests) sequenceDrawer(ctx context.Context, p Point) (*drawer, error) {
	if p.SharedPrefix > 0 {
		return nil, errors.New("bench: a soak test cannot have a shared prefix: leave shared_prefix out")
	}
	d, err := q.drawer(ctx, p)
	if err != nil {
		return nil, err
	}
	shortest := slices.MinFunc(p.EachLength(), func(a, b RequestLength) int { return a.Input - b.Input }).Input
	// The birthday bound, n² / (2·V^length), in logarithms.
	prompts := float64(d.free(shortest)) * math.Log(float64(q.Vocabulary.Size()))
	if 2*math.Log(float64(p.Requests))-prompts > math.Log(2e-9) {
		return nil, fmt.Errorf("bench: %d random prompts of %d tokens may be alike: choose longer ones", p.Requests, shortest)
	}
	return d, nil
}
