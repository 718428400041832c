package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vllmgo/vllmgo"
)

// Trial is one measurement of a point.
type Trial struct {
	Point
	// Trial counts a point's trials from 1.
	Trial int `json:"trial"`
	// Engine is the number of the engine that ran it: EngineRecord.Number.
	Engine int `json:"engine"`
	// Started is when the trial's first pass began.
	Started time.Time `json:"started"`
	// Elapsed is the time of LLM.generate alone in the measured pass. It is the batch's completion time and,
	// because all requests return together, each request's latency.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Outside is the time that the measured call of Engine.Generate took beyond Elapsed: handing prompts
	// over and outputs back.
	Outside time.Duration `json:"outside_ns"`
	// SingleElapsed and WarmUpElapsed are the times of LLM.generate in the two untimed passes, kept to show
	// what warming up changed.
	SingleElapsed time.Duration `json:"single_elapsed_ns"`
	WarmUpElapsed time.Duration `json:"warm_up_elapsed_ns"`
	// PeakKVTokens is the point's peak demand for KV-cache tokens; see [PeakKVTokens].
	PeakKVTokens int `json:"peak_kv_tokens"`
	// PromptsSHA256 identifies the measured prompts: the SHA-256, in hexadecimal, of their token IDs.
	PromptsSHA256 string `json:"prompts_sha256"`
	// Notes say what a reader of the figures must know, such as a possible preemption.
	Notes []string `json:"notes,omitempty"`
}

// runTrial measures a point once. observe is told of each pass that ended, for the ETA.
func runTrial(ctx context.Context, engine Engine, p Point, w Workload, params vllmgo.SamplingParams, observe func(requests int, elapsed time.Duration)) (Trial, error) {
	t := Trial{Point: p, Started: time.Now().UTC(), PromptsSHA256: hashPrompts(w.Measured)}
	passes := []struct {
		name    string
		prompts []vllmgo.Prompt
		elapsed *time.Duration
	}{
		{"the single request", w.Single, &t.SingleElapsed},
		{"the warm-up pass", w.WarmUp, &t.WarmUpElapsed},
		{"the measured pass", w.Measured, &t.Elapsed},
	}
	for _, pass := range passes {
		start := time.Now()
		generation, err := engine.Generate(ctx, pass.prompts, params)
		wall := time.Since(start)
		if err == nil {
			err = verify(generation, pass.prompts, p.OutputLen)
		}
		if err != nil {
			return Trial{}, fmt.Errorf("%s: %w", pass.name, err)
		}
		*pass.elapsed = generation.Elapsed
		t.Outside = wall - generation.Elapsed
		observe(len(pass.prompts), generation.Elapsed)
	}
	return t, nil
}

// samplingParams ask for exactly outputLen tokens, decoded greedily.
func samplingParams(outputLen int, detokenize bool) vllmgo.SamplingParams {
	params := vllmgo.SamplingParams{
		Temperature: new(0.0),
		IgnoreEOS:   true,
		MinTokens:   outputLen,
		MaxTokens:   outputLen,
	}
	if !detokenize {
		params.Detokenize = new(false)
	}
	return params
}

// verify checks that an engine did what it was asked, exactly.
func verify(g *vllmgo.Generation, prompts []vllmgo.Prompt, outputLen int) error {
	if g.Elapsed <= 0 {
		return fmt.Errorf("the engine reports an elapsed time of %v", g.Elapsed)
	}
	if len(g.Outputs) != len(prompts) {
		return fmt.Errorf("%s sent, %d outputs came back", count(len(prompts), "prompt"), len(g.Outputs))
	}
	for i, output := range g.Outputs {
		if err := verifyOutput(output, prompts[i].TokenIDs, outputLen); err != nil {
			return fmt.Errorf("request %d of %d: %w", i+1, len(prompts), err)
		}
	}
	return nil
}

func verifyOutput(o vllmgo.RequestOutput, prompt []int32, outputLen int) error {
	if len(o.PromptTokenIDs) != len(prompt) {
		return fmt.Errorf("the engine saw a prompt of %d tokens, %d were sent", len(o.PromptTokenIDs), len(prompt))
	}
	if !slices.Equal(o.PromptTokenIDs, prompt) {
		return errors.New("the engine saw other prompt tokens than were sent")
	}
	if o.NumCachedTokens > 0 {
		return fmt.Errorf("%d prompt tokens came from the prefix cache, which must be off", o.NumCachedTokens)
	}
	if len(o.Outputs) != 1 {
		return fmt.Errorf("%d completions came back, 1 was asked for", len(o.Outputs))
	}
	completion := o.Outputs[0]
	if len(completion.TokenIDs) != outputLen {
		return fmt.Errorf("%d tokens were generated, %d were asked for", len(completion.TokenIDs), outputLen)
	}
	if completion.FinishReason != "length" {
		return fmt.Errorf("it finished for the reason %q, not \"length\"", completion.FinishReason)
	}
	return nil
}
