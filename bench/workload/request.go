package workload

import (
	"context"
	"fmt"
	"math/rand/v2"

	"vllmgo/bench/internal/random"
	"vllmgo/vllmgo"
)

// Request is one request of a pass.
type Request struct {
	// TokenIDs are the tokens that the model must see.
	TokenIDs []int32
	// Text is sent in place of TokenIDs when prompts are texts. It encodes to them.
	Text string
	// OutputLen is the number of tokens to generate.
	OutputLen int
}

// Prompt returns what is sent.
func (r Request) Prompt() vllmgo.Prompt {
	if r.Text != "" {
		return vllmgo.Prompt{Text: r.Text}
	}
	return vllmgo.Prompt{TokenIDs: r.TokenIDs}
}

// Requests draws the requests of a run. Equal fields give equal requests, on any machine and for
// any engine.
type Requests struct {
	// Vocabulary has the token IDs that prompts are made of.
	Vocabulary Vocabulary
	// Seed is the number from which all random streams start.
	Seed uint64
	// Tokenizer makes texts of the prompts, which the engine then has to encode with the same
	// tokenizer. nil sends token IDs.
	Tokenizer Tokenizer
	// TokenizerName is the name of the tokenizer, for errors.
	TokenizerName string
}

// warmUpPasses is the most warm-up passes of a point.
const warmUpPasses = 5

// PointRequests draws the requests of one point. All prompts of a pass differ. No prompt of a
// warm-up pass is in another pass.
type PointRequests struct {
	// Single is a pass of one request, which has the lengths of the point's first.
	Single []Request
	// WarmUp has five passes of the point's full shape.
	WarmUp [][]Request

	point  Point
	drawer *drawer
	warm   map[string]bool // the prompts of all passes that are not measured
}

// Point prepares the requests of a point. It draws each prompt uniformly and independently from the
// vocabulary, and again when it was drawn before. Each pass has its own random stream.
//
// Point returns an error for
//
//   - a length below 1
//   - a prompt that is not longer than the shared prefix
//   - a vocabulary, or a tokenizer, with too few different prompts of a length
//   - prompts that are texts when it finds none of a length
//   - a shared prefix of texts that is shorter than the special tokens before each text
func (q Requests) Point(ctx context.Context, p Point) (*PointRequests, error) {
	d, err := q.drawer(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := d.listTexts(ctx); err != nil {
		return nil, err
	}
	r := &PointRequests{point: p, drawer: d, warm: make(map[string]bool)}
	if r.Single, err = r.pass(ctx, 0, "single", p.EachLength()[:1]); err != nil {
		return nil, err
	}
	for i := range warmUpPasses {
		pass, err := r.pass(ctx, 0, fmt.Sprintf("warm-up %d", i+1), p.EachLength())
		if err != nil {
			return nil, err
		}
		r.WarmUp = append(r.WarmUp, pass)
	}
	return r, nil
}

// Trial draws the requests of a measured pass. Passes are numbered from 1.
func (r *PointRequests) Trial(ctx context.Context, trial int) ([]Request, error) {
	return r.pass(ctx, trial, "measured", r.point.EachLength())
}

// pass draws requests that differ from each other and from those of the warm-up. The requests of
// trial 0 are added to the warm-up.
func (r *PointRequests) pass(ctx context.Context, trial int, name string, lengths []RequestLength) ([]Request, error) {
	stream := r.drawer.stream(r.point, trial, name)
	seen := make(map[string]bool)
	if trial == 0 {
		seen = r.warm
	}
	requests := make([]Request, 0, len(lengths))
	for repeats := 0; len(requests) < len(lengths); {
		length := lengths[len(requests)]
		request, err := r.drawer.draw(ctx, stream, length)
		if key := string(tokenBytes(request.TokenIDs)); err == nil && !seen[key] && !r.warm[key] {
			seen[key], repeats = true, 0
			requests = append(requests, request)
			continue
		}
		if repeats++; err == nil && repeats > r.drawer.mostRepeats(length.Input) {
			err = r.drawer.tooFew(length.Input, "perhaps more than it has")
		}
		if err != nil {
			return nil, fmt.Errorf("bench: request %d of %s: %w", len(requests)+1, r.point, err)
		}
	}
	return requests, nil
}

// check returns an error that explains why the point's requests do not exist; nil when they do.
func (q Requests) check(p Point) error {
	if p.Requests < 1 {
		return fmt.Errorf("bench: %s has %d requests; it must have at least 1", p, p.Requests)
	}
	if p.Lengths != nil && len(p.Lengths) != p.Requests {
		return fmt.Errorf("bench: %s has %d requests and the lengths of %d", p, p.Requests, len(p.Lengths))
	}
	for _, l := range p.EachLength() {
		if l.Input < 1 || l.Output < 1 {
			return fmt.Errorf(
				"bench: %s has a request of %d input and %d output tokens; each must be at least 1",
				p,
				l.Input,
				l.Output,
			)
		}
		if max(l.Input, l.Output) > maxLength {
			return fmt.Errorf("bench: %s has a request of %d input and %d output tokens; each must be at most %d",
				p, l.Input, l.Output, maxLength)
		}
		if p.SharedPrefix < 0 || l.Input <= p.SharedPrefix {
			return fmt.Errorf(
				"bench: %s has a request of %d input tokens, which leaves no token after the shared prefix of %d",
				p,
				l.Input,
				p.SharedPrefix,
			)
		}
	}
	return nil
}

// stream returns the random stream of a pass, whose key has all that identifies the pass.
func (q Requests) stream(p Point, trial int, pass string) *rand.Rand {
	return random.Stream("vllmgo/bench seed=%d study=%s value=%d trial=%d pass=%s", q.Seed, p.Study, p.Value, trial, pass)
}
