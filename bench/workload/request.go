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

	from   Requests
	point  Point
	prefix []int32         // the content that all prompts share
	warm   map[string]bool // the prompts of all passes that are not measured
}

// Point prepares the requests of a point. It draws each prompt uniformly and independently from the
// vocabulary, and again when it was drawn before. Each pass has its own random stream.
//
// Point returns an error for
//
//   - a length below 1
//   - a prompt that is not longer than the shared prefix
//   - a vocabulary with too few different prompts of a length
//   - prompts that are texts when it finds none of a length
func (q Requests) Point(ctx context.Context, p Point) (*PointRequests, error) {
	if err := q.check(p); err != nil {
		return nil, err
	}
	r := &PointRequests{from: q, point: p, warm: make(map[string]bool)}
	if p.SharedPrefix > 0 {
		prefix, err := q.draw(ctx, q.stream(p, 0, "prefix"), nil, RequestLength{Input: p.SharedPrefix})
		if err != nil {
			return nil, fmt.Errorf("bench: the shared prefix of %s: %w", p, err)
		}
		r.prefix = prefix.TokenIDs
		if q.Tokenizer != nil {
			r.prefix = q.textMaker().content(prefix.TokenIDs)
		}
	}
	var err error
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
	stream := r.from.stream(r.point, trial, name)
	seen := make(map[string]bool)
	if trial == 0 {
		seen = r.warm
	}
	requests := make([]Request, 0, len(lengths))
	for len(requests) < len(lengths) {
		request, err := r.from.draw(ctx, stream, r.prefix, lengths[len(requests)])
		if err != nil {
			return nil, fmt.Errorf("bench: request %d of %s: %w", len(requests)+1, r.point, err)
		}
		key := string(tokenBytes(request.TokenIDs))
		if !seen[key] && !r.warm[key] {
			seen[key] = true
			requests = append(requests, request)
		}
	}
	return requests, nil
}

// draw draws one request.
func (q Requests) draw(ctx context.Context, r *rand.Rand, prefix []int32, length RequestLength) (Request, error) {
	request := Request{OutputLen: length.Output}
	if q.Tokenizer != nil {
		var err error
		request.Text, request.TokenIDs, err = q.textMaker().text(ctx, r, prefix, length.Input)
		return request, err
	}
	request.TokenIDs = make([]int32, length.Input)
	for i := copy(request.TokenIDs, prefix); i < length.Input; i++ {
		request.TokenIDs[i] = q.Vocabulary.random(r)
	}
	return request, nil
}

// textMaker returns what makes texts of the prompts.
func (q Requests) textMaker() textMaker {
	return textMaker{tokenizer: q.Tokenizer, name: q.TokenizerName, vocabulary: q.Vocabulary}
}

// check returns an error that explains why the point's requests do not exist; nil when they do.
func (q Requests) check(p Point) error {
	if p.Requests < 1 {
		return fmt.Errorf("bench: %s has %d requests; it must have at least 1", p, p.Requests)
	}
	if p.Lengths != nil && len(p.Lengths) != p.Requests {
		return fmt.Errorf("bench: %s has %d requests and the lengths of %d", p, p.Requests, len(p.Lengths))
	}
	equal := make(map[int]int) // requests by input length
	for _, l := range p.EachLength() {
		if l.Input < 1 || l.Output < 1 {
			return fmt.Errorf(
				"bench: %s has a request of %d input and %d output tokens; each must be at least 1",
				p,
				l.Input,
				l.Output,
			)
		}
		if p.SharedPrefix < 0 || l.Input <= p.SharedPrefix {
			return fmt.Errorf(
				"bench: %s has a request of %d input tokens, which leaves no token after the shared prefix of %d",
				p,
				l.Input,
				p.SharedPrefix,
			)
		}
		equal[l.Input]++
	}
	for length, n := range equal {
		if need := 1 + (warmUpPasses+1)*n; !q.Vocabulary.canGive(need, length-p.SharedPrefix) {
			return fmt.Errorf(
				"bench: %s needs %d distinct prompts of %d tokens, warm-up included, more than a vocabulary of %d tokens can give",
				p,
				need,
				length-p.SharedPrefix,
				q.Vocabulary.Size(),
			)
		}
	}
	return nil
}

// stream returns the random stream of a pass, whose key has all that identifies the pass.
func (q Requests) stream(p Point, trial int, pass string) *rand.Rand {
	return random.Stream("vllmgo/bench seed=%d study=%s value=%d trial=%d pass=%s", q.Seed, p.Study, p.Value, trial, pass)
}
