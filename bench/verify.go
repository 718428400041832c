package bench

import (
	"errors"
	"fmt"
	"slices"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// mismatch is an output that differs from what was asked for. The check fails, and the point with
// it.
type mismatch struct {
	check string
	error
}

func mismatchf(check, format string, args ...any) error {
	return mismatch{check, fmt.Errorf(format, args...)}
}

// checkOf returns the check whose failure an error reports; empty for any other error.
func checkOf(err error) string {
	m, _ := errors.AsType[mismatch](err)
	return m.check
}

// verify returns an error unless the engine did exactly what was asked. cache allows prompt tokens
// from the prefix cache.
func verify(g *vllmgo.Generation, requests []workload.Request, completions int, cache bool) error {
	if g.Elapsed <= 0 {
		return fmt.Errorf("the engine reports an elapsed time of %v", g.Elapsed)
	}
	if g.Shared {
		return errors.New("the engine worked for other calls meanwhile, so the time is not that of LLM.generate alone")
	}
	if len(g.Outputs) != len(requests) {
		return mismatchf(
			journal.CheckCounts,
			"%s sent, %d outputs came back",
			format.Count(len(requests), "prompt"),
			len(g.Outputs),
		)
	}
	for i, output := range g.Outputs {
		if err := verifyOutput(output, requests[i], completions, cache); err != nil {
			return fmt.Errorf("request %d of %d: %w", i+1, len(requests), err)
		}
	}
	return nil
}

// verifyOutput is verify for one request.
func verifyOutput(o vllmgo.RequestOutput, r workload.Request, completions int, cache bool) error {
	switch {
	case len(o.PromptTokenIDs) != len(r.TokenIDs):
		return mismatchf(
			journal.CheckPrompts,
			"the engine saw a prompt of %d tokens, %d were sent",
			len(o.PromptTokenIDs),
			len(r.TokenIDs),
		)
	case !slices.Equal(o.PromptTokenIDs, r.TokenIDs):
		return mismatchf(journal.CheckPrompts, "the engine saw other prompt tokens than were sent")
	case o.NumCachedTokens > 0 && !cache:
		return mismatchf(
			journal.CheckCache,
			"%d prompt tokens came from the prefix cache, which must be off",
			o.NumCachedTokens,
		)
	case len(o.Outputs) != completions:
		return mismatchf(
			journal.CheckCounts,
			"%s came back, %d asked for",
			format.Count(len(o.Outputs), "completion"),
			completions,
		)
	}
	for _, completion := range o.Outputs {
		if len(completion.TokenIDs) != r.OutputLen {
			return mismatchf(
				journal.CheckCounts,
				"%d tokens were generated, %d were asked for",
				len(completion.TokenIDs),
				r.OutputLen,
			)
		}
		if completion.FinishReason != "length" {
			return mismatchf(journal.CheckFinish, "it finished for the reason %q, not \"length\"", completion.FinishReason)
		}
	}
	return nil
}
