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
		if err := q.CheckSequence(p); err != nil {
			yield(Request{}, err)
			return
		}
		stream := q.stream(p, 1, pass)
		for i := range p.Requests {
			length := RequestLength{p.InputLen, p.OutputLen}
			if p.Lengths != nil {
				length = p.Lengths[i]
			}
			request, err := q.draw(ctx, stream, nil, length)
			if !yield(request, err) || err != nil {
				return
			}
		}
	}
}

// CheckSequence returns the error with which [Requests.Sequence] refuses a point; nil when it
// accepts it.
func (q Requests) CheckSequence(p Point) error {
	if p.SharedPrefix > 0 {
		return errors.New("bench: a soak test cannot have a shared prefix: leave shared_prefix out")
	}
	if err := q.check(p); err != nil {
		return err
	}
	shortest := slices.MinFunc(p.EachLength(), func(a, b RequestLength) int { return a.Input - b.Input }).Input
	// The birthday bound, n² / (2·V^length), in logarithms.
	prompts := float64(shortest) * math.Log(float64(q.Vocabulary.Size()))
	if 2*math.Log(float64(p.Requests))-prompts > math.Log(2e-9) {
		return fmt.Errorf("bench: %d random prompts of %d tokens may be alike: choose longer ones", p.Requests, shortest)
	}
	return nil
}
