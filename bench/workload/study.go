package workload

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"vllmgo/bench/internal/files"
	"vllmgo/bench/internal/format"
	"vllmgo/vllmgo"
)

// Study is a sweep: points that differ in what is swept and share all else.
type Study struct {
	// Name identifies the study and names its files, such as "batch-size".
	Name string `json:"name"`
	// Sweep is the notebook's sweep that the study is; empty for any other study. Findings depend
	// on it.
	Sweep Sweep `json:"sweep,omitempty"`
	// Parameter is the swept parameter in words, such as "batch size".
	Parameter string `json:"parameter"`
	// Unit is what the swept values count, such as "requests submitted at once".
	Unit string `json:"unit"`
	// MaxNumBatchedTokens is vLLM's max_num_batched_tokens: the most tokens in one engine step.
	MaxNumBatchedTokens int `json:"max_num_batched_tokens"`
	// MaxNumSeqs is vLLM's max_num_seqs: the most sequences in one engine step.
	MaxNumSeqs int `json:"max_num_seqs"`
	// Scaled describes how a preset differs from the full study; empty when it does not.
	Scaled string `json:"scaled,omitempty"`
	// Points are the points in the order in which they are measured.
	Points []Point `json:"points"`
}

// Sweep is one of the three sweeps of the notebook. Each is also the name of its study in the
// presets.
type Sweep string

const (
	// BatchSize submits 1, 2, 4, … requests at once.
	BatchSize Sweep = "batch-size"
	// SequenceLength varies the length of prompts and outputs, which are equal.
	SequenceLength Sweep = "sequence-length"
	// RequestCount submits tens to hundreds of requests at once.
	RequestCount Sweep = "request-count"
)

// fields returns the settings of a point that the sweep varies; none for other studies.
func (s Sweep) fields() []string {
	switch s {
	case BatchSize, RequestCount:
		return []string{"requests"}
	case SequenceLength:
		return []string{"input_len", "output_len"}
	}
	return nil
}

// is reports whether the points are those of a sweep: what it varies has each point's value, and
// all else is the same.
func (s Study) is(sweep Sweep) bool {
	return sweep.fields() != nil && !slices.ContainsFunc(s.Points, func(p Point) bool {
		other := p
		for name, field := range ownFields {
			*field(&other) = *field(&s.Points[0])
			if slices.Contains(sweep.fields(), name) {
				*field(&other) = p.Value
			}
		}
		return p.Coordinates != nil || p.Lengths != nil || !reflect.DeepEqual(p, other)
	})
}

// Fixed returns in words which of requests and lengths are the same for all points; empty when
// none.
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

// Validate returns an error that describes what is wrong with the study; nil when nothing is.
func (s Study) Validate() error {
	if err := files.CheckName(s.Name); err != nil {
		return fmt.Errorf("bench: a study cannot have its name: %w", err)
	}
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
		if _, err := p.Set.SamplingParams(vllmgo.SamplingParams{}); err != nil {
			return err
		}
		if err := p.checkSizes(); err != nil {
			return err
		}
	}
	return nil
}

// checkSizes returns an error when the point has no requests, or numbers with which sums overflow.
func (p Point) checkSizes() error {
	if p.Requests < 1 || p.Requests > math.MaxInt32 {
		return fmt.Errorf("bench: %s has %d requests; it must have 1 to %d", p, p.Requests, math.MaxInt32)
	}
	if p.Lengths != nil && len(p.Lengths) != p.Requests {
		return fmt.Errorf("bench: %s has %d requests and the lengths of %d", p, p.Requests, len(p.Lengths))
	}
	lengths := append([]RequestLength{{p.InputLen, p.OutputLen}}, p.Lengths...)
	for _, l := range lengths {
		if max(l.Input, l.Output) > math.MaxInt32 || min(l.Input, l.Output) < 0 {
			return fmt.Errorf("bench: %s has a request of %d input and %d output tokens; each must be 0 to %d",
				p, l.Input, l.Output, math.MaxInt32)
		}
	}
	return nil
}

// mostCompletions is the most completions of all points of a run. It bounds what is allocated for
// each.
const mostCompletions = 1 << 24

// CheckStudies returns an error that describes why the studies cannot be those of a run; nil when
// they can.
func CheckStudies(studies []Study) error {
	names, left := make(map[string]bool), mostCompletions
	for _, s := range studies {
		if err := s.Validate(); err != nil {
			return err
		}
		if names[s.Name] {
			return fmt.Errorf("bench: two studies are called %s; their names must differ", s.Name)
		}
		names[s.Name] = true
		for _, p := range s.Points {
			if p.Requests > left/p.Completions() {
				return fmt.Errorf("bench: the points have more than %d completions in all; spread them over several runs",
					mostCompletions)
			}
			left -= p.Requests * p.Completions()
		}
	}
	if len(studies) == 0 {
		return errors.New("bench: there are no studies")
	}
	return nil
}

// EngineArgs returns base with the limits of the study and the engine arguments of one of its
// points. It switches prefix caching off unless the point sets it: a prompt that the cache answers
// is not measured.
func (s Study) EngineArgs(base vllmgo.EngineArgs, p Point) (vllmgo.EngineArgs, error) {
	base.MaxNumBatchedTokens = s.MaxNumBatchedTokens
	base.MaxNumSeqs = s.MaxNumSeqs
	base.EnablePrefixCaching = new(false)
	return p.Set.EngineArgs(base)
}
