package workload

import (
	"fmt"

	"vllmgo/internal/format"
	"vllmgo/vllmgo"
)

// Study is a sweep: points that differ in one swept value, under one engine setting.
type Study struct {
	// Name identifies the study and names its files: [BatchSize], [SequenceLength] or [RequestCount].
	Name string `json:"name"`
	// Parameter is the swept parameter in words, such as "batch size".
	Parameter string `json:"parameter"`
	// Unit is what the swept values count, such as "requests submitted at once".
	Unit string `json:"unit"`
	// MaxNumBatchedTokens is vLLM's max_num_batched_tokens: the most tokens in one engine step.
	MaxNumBatchedTokens int `json:"max_num_batched_tokens"`
	// MaxNumSeqs is vLLM's max_num_seqs: the most sequences in one engine step.
	MaxNumSeqs int `json:"max_num_seqs"`
	// Scaled says what a preset changed against the full study; empty when nothing.
	Scaled string `json:"scaled,omitempty"`
	// Points are the points in the order in which they are measured.
	Points []Point `json:"points"`
}

// Fixed says which of requests and lengths are the same for all points; empty when none.
func (s Study) Fixed() string {
	first := s.Points[0]
	requests, lengths := true, true
	for _, p := range s.Points {
		requests = requests && p.Requests == first.Requests
		lengths = lengths && p.Lengths == nil && p.InputLen == first.InputLen && p.OutputLen == first.OutputLen
	}
	switch {
	case lengths:
		return fmt.Sprintf("%d input and %d output tokens a request", first.InputLen, first.OutputLen)
	case requests:
		return format.Count(first.Requests, "request")
	}
	return ""
}

// Validate says what is wrong with a study.
func (s Study) Validate() error {
	if s.MaxNumSeqs < 1 || s.MaxNumBatchedTokens < 1 {
		return fmt.Errorf("bench: study %s has max_num_seqs %d and max_num_batched_tokens %d; each must be at least 1",
			s.Name, s.MaxNumSeqs, s.MaxNumBatchedTokens)
	}
	if len(s.Points) == 0 {
		return fmt.Errorf("bench: study %s has no points", s.Name)
	}
	values := make(map[int]bool)
	for _, p := range s.Points {
		if p.Study != s.Name || values[p.Value] {
			return fmt.Errorf("bench: study %s has a point %q; its points must name it and have values of their own", s.Name, p)
		}
		values[p.Value] = true
		args, err := s.EngineArgs(vllmgo.EngineArgs{}, p)
		if err == nil && args.MaxNumSeqs < 1 {
			err = fmt.Errorf("bench: max_num_seqs is %d; it must be at least 1", args.MaxNumSeqs)
		}
		if err != nil {
			return err
		}
		if _, err := SetSampling(vllmgo.SamplingParams{}, p.Set.Sampling); err != nil {
			return err
		}
	}
	return nil
}

// EngineArgs are base with the settings of the study and of one of its points: the study's limits, and no prefix
// caching, since a prompt that the cache answers is not measured.
func (s Study) EngineArgs(base vllmgo.EngineArgs, p Point) (vllmgo.EngineArgs, error) {
	base.MaxNumBatchedTokens = s.MaxNumBatchedTokens
	base.MaxNumSeqs = s.MaxNumSeqs
	base.EnablePrefixCaching = new(false)
	return setEngine(base, p.Set.Engine)
}
