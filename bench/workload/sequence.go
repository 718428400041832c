package workload

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

// Sequence returns the requests of a point one after the other, each drawn when it is taken. Passes of different names
// differ. An error is the last that it returns.
//
// It does not compare the prompts, so that it needs no memory for them: it returns an error unless two of them are
// alike with a probability below 10⁻⁹. A shared prefix is an error too.
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

// CheckSequence returns the error with which [Requests.Sequence] would refuse a point; nil when it would not.
func (q Requests) CheckSequence(p Point) error {
	if p.SharedPrefix > 0 {
		return errors.New("bench: a soak test has no shared prefix: leave shared_prefix out")
	}
	if err := q.check(p); err != nil {
		return err
	}
	shortest := slices.MinFunc(p.EachLength(), func(a, b RequestLength) int { return a.Input - b.Input }).Input
	// The birthday bound, n² / (2·V^length).
	if log := 2*math.Log(float64(p.Requests)) - float64(shortest)*math.Log(float64(q.Vocabulary.Size())); log > math.Log(2e-9) {
		return fmt.Errorf("bench: %d random prompts of %d tokens may be alike: choose longer ones", p.Requests, shortest)
	}
	return nil
}
