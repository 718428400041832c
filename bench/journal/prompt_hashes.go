package journal

import (
	"context"
	"errors"
	"fmt"

	"vllmgo/bench/workload"
)

// PromptHashes holds the SHA-256 of the prompts of each trial of a point, in the order of the
// trials.
type PromptHashes map[workload.PointID][]string

// PromptHashes returns the hashes of all trials.
func (j *Journal) PromptHashes() PromptHashes {
	hashes := make(PromptHashes)
	for _, t := range j.Trials {
		hashes[t.PointID] = append(hashes[t.PointID], t.Ledger.PromptsSHA256)
	}
	return hashes
}

// Verify compares the requests of a trial with the hash. It accepts a trial that has no hash.
func (h PromptHashes) Verify(p workload.PointID, trial int, requests []workload.Request) error {
	if trial > len(h[p]) {
		return nil
	}
	if want, got := h[p][trial-1], workload.HashRequests(requests); want != got {
		return fmt.Errorf(
			"trial %d has other prompts than in the run that is repeated: their SHA-256 is %s, not %s",
			trial,
			got,
			want,
		)
	}
	return nil
}

// VerifyRequests draws the requests of all trials again and compares their hashes with the
// journal's. It needs no engine. It returns the number of trials whose hashes are equal, and an
// error at the first that is not. tokenizer is the tokenizer of the texts, or nil when the prompts
// were token IDs.
func (j *Journal) VerifyRequests(ctx context.Context, tokenizer workload.Tokenizer) (trials int, err error) {
	switch {
	case j.Header.Text && tokenizer == nil:
		return 0, errors.New("bench: the prompts of this run were texts, which need the model's tokenizer")
	case !j.Header.Text && tokenizer != nil:
		return 0, errors.New("bench: the prompts of this run were token IDs, which need no tokenizer")
	}
	hashes := j.PromptHashes()
	from := workload.Requests{
		Vocabulary:    j.Header.Vocabulary,
		Seed:          j.Header.Seed,
		Tokenizer:     tokenizer,
		TokenizerName: j.Header.Model,
	}
	for _, study := range j.Header.Studies {
		for _, p := range study.Points {
			if len(hashes[p.ID()]) == 0 {
				continue
			}
			requests, err := from.Point(ctx, p)
			if err != nil {
				return trials, err
			}
			for i := range hashes[p.ID()] {
				pass, err := requests.Trial(ctx, i+1)
				if err == nil {
					err = hashes.Verify(p.ID(), i+1, pass)
				}
				if err != nil {
					return trials, fmt.Errorf("bench: %s: %w", p, err)
				}
				trials++
			}
		}
	}
	return trials, nil
}
