package journal

import (
	"context"
	"fmt"

	"vllmgo/bench/workload"
)

// PromptHashes holds the SHA-256 of the prompts of each trial of a point, in the order of the trials.
type PromptHashes map[workload.PointID][]string

// PromptHashes returns the hashes of all trials.
func (j *Journal) PromptHashes() PromptHashes {
	ledger := make(PromptHashes)
	for _, t := range j.Trials {
		ledger[t.PointID] = append(ledger[t.PointID], t.Ledger.PromptsSHA256)
	}
	return ledger
}

// Verify compares the requests of a trial with the hash. It accepts a trial that has no hash.
func (h PromptHashes) Verify(p workload.PointID, trial int, requests []workload.Request) error {
	if trial > len(h[p]) {
		return nil
	}
	if want, got := h[p][trial-1], workload.HashRequests(requests); want != got {
		return fmt.Errorf("trial %d has other prompts than in the run that is repeated: their SHA-256 is %s, not %s", trial, got, want)
	}
	return nil
}

// VerifyRequests draws the requests of all trials of a journal again, without an engine, and returns how many trials'
// prompts have the SHA-256 that the journal has. The first that has another is an error. tokenizer is the
// tokenizer that texts were made with; nil when prompts were token IDs.
func (j *Journal) VerifyRequests(ctx context.Context, tokenizer workload.Tokenizer) (trials int, err error) {
	if j.Header.Text != (tokenizer != nil) {
		return 0, fmt.Errorf("bench: prompts were texts: %v; a tokenizer is there: %v", j.Header.Text, tokenizer != nil)
	}
	hashes := j.PromptHashes()
	from := workload.Requests{Vocabulary: j.Header.Vocabulary, Seed: j.Header.Seed, Tokenizer: tokenizer, TokenizerName: j.Header.Model}
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
