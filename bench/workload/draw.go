package workload

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// mostListed is the most contents of a length that are tried one by one to find the texts of that
// length.
const mostListed = 1 << 18

// drawer draws the prompts of a point.
type drawer struct {
	Requests
	point Point
	texts *textMaker // nil: prompts are token IDs
	// prefix is the content that all prompts share.
	prefix []int32
	// needs has, for each input length, the number of different prompts that the point needs.
	needs map[int]int
	// listed has, for some input lengths, the texts to choose from.
	listed map[int][]encoded
}

// drawer returns what draws the prompts of a point. It returns an error when they cannot exist.
func (q Requests) drawer(ctx context.Context, p Point) (_ *drawer, err error) {
	if err := q.check(p); err != nil {
		return nil, err
	}
	d := &drawer{Requests: q, point: p, needs: make(map[int]int), listed: make(map[int][]encoded)}
	for _, l := range p.EachLength() {
		d.needs[l.Input] = max(1, d.needs[l.Input]) + warmUpPasses + 1
	}
	if q.Tokenizer != nil {
		if d.texts, err = q.newTextMaker(ctx, q.stream(p, 0, "special tokens")); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", p, err)
		}
	}
	for _, length := range slices.Sorted(maps.Keys(d.needs)) {
		if err := d.checkLength(length); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", p, err)
		}
	}
	if err := d.drawPrefix(ctx); err != nil {
		return nil, fmt.Errorf("bench: the shared prefix of %s: %w", p, err)
	}
	return d, nil
}

// special returns the numbers of special tokens before and after each prompt's content.
func (d *drawer) special() (before, after int) {
	if d.texts == nil {
		return 0, 0
	}
	return d.texts.before, d.texts.after
}

// shared returns the number of content tokens that all prompts share.
func (d *drawer) shared() int {
	before, _ := d.special()
	return max(0, d.point.SharedPrefix-before)
}

// free returns the number of tokens of a prompt of the given length that are drawn for it alone.
func (d *drawer) free(length int) int {
	before, after := d.special()
	return length - before - after - d.shared()
}

// checkLength returns an error when there are no, or too few, prompts of a length.
func (d *drawer) checkLength(length int) error {
	before, after := d.special()
	switch free := d.free(length); {
	case free < 1:
		return fmt.Errorf(
			"no text of exactly %d tokens for the tokenizer %s: it adds %d special tokens to each text, "+
				"and %d are shared; choose another length, or prompts of token IDs",
			length, d.TokenizerName, before+after, d.point.SharedPrefix)
	case d.Vocabulary.contents(free) < min(d.needs[length], mostContents):
		return fmt.Errorf(
			"it needs %d distinct prompts of %d tokens, warm-up included, more than a vocabulary of %d tokens can give",
			d.needs[length], free, d.Vocabulary.Size())
	}
	return nil
}

// drawPrefix draws the content that all prompts share.
func (d *drawer) drawPrefix(ctx context.Context) error {
	before, after := d.special()
	if d.point.SharedPrefix > 0 && d.point.SharedPrefix < before {
		return fmt.Errorf("all texts of the tokenizer %s share %d special tokens; choose at least so many",
			d.TokenizerName, before)
	}
	if d.shared() == 0 {
		return nil
	}
	content := &drawer{Requests: d.Requests, texts: d.texts}
	drawn, err := content.draw(ctx, d.stream(d.point, 0, "prefix"), RequestLength{Input: before + d.shared() + after})
	if err != nil {
		return err
	}
	d.prefix = drawn.TokenIDs[before : before+d.shared()]
	return nil
}

// listTexts lists the texts of each length that has few. It returns an error when there are fewer
// than the point needs.
func (d *drawer) listTexts(ctx context.Context) error {
	if d.texts == nil {
		return nil
	}
	for _, length := range slices.Sorted(maps.Keys(d.needs)) {
		free, need := d.free(length), d.needs[length]
		if d.Vocabulary.contents(free) > mostListed {
			continue
		}
		stream := d.stream(d.point, 0, fmt.Sprintf("texts of %d tokens", length))
		// Twice as many as are needed, so that trials have different ones.
		list, err := d.texts.list(ctx, stream, d.prefix, free, 2*need)
		if err == nil && len(list) < need {
			err = d.tooFew(length, fmt.Sprintf("and it has %d", len(list)))
		}
		if err != nil {
			return fmt.Errorf("bench: %s: %w", d.point, err)
		}
		d.listed[length] = list
	}
	return nil
}

// tooFew returns the error that there are too few different prompts of a length.
func (d *drawer) tooFew(length int, found string) error {
	return fmt.Errorf(
		"%d distinct texts of exactly %d tokens are needed, warm-up included, of the tokenizer %s, %s; "+
			"choose longer prompts, fewer requests, or prompts of token IDs",
		d.needs[length], length, d.TokenizerName, found)
}

// mostRepeats returns how often in succession a prompt of a length is drawn that was drawn before,
// until the search ends.
func (d *drawer) mostRepeats(length int) int {
	if d.texts != nil && d.listed[length] == nil {
		return textDraws
	}
	// At least one of needs is free, and all are equally likely: the chance to miss it so often is
	// below e⁻⁴⁰.
	return 40 * d.needs[length]
}

// draw draws one request.
func (d *drawer) draw(ctx context.Context, r *rand.Rand, length RequestLength) (Request, error) {
	request := Request{OutputLen: length.Output}
	if d.texts == nil {
		request.TokenIDs = make([]int32, length.Input)
		for i := copy(request.TokenIDs, d.prefix); i < length.Input; i++ {
			request.TokenIDs[i] = d.Vocabulary.random(r)
		}
		return request, nil
	}
	var text encoded
	var err error
	if list := d.listed[length.Input]; list != nil {
		text = list[r.IntN(len(list))]
	} else {
		text, err = d.texts.text(ctx, r, d.prefix, length.Input)
	}
	request.Text, request.TokenIDs = text.text, text.ids
	return request, err
}
