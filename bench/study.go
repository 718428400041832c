package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vllmgo/vllmgo"
)

// The names of the three studies, also the names of their files.
const (
	BatchSize      = "batch-size"
	SequenceLength = "sequence-length"
	RequestCount   = "request-count"
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

// PointID identifies a point of a run.
type PointID struct {
	// Study is the name of the study that the point belongs to.
	Study string `json:"study"`
	// Value is the swept parameter's value.
	Value int `json:"value"`
}

// String is the study's name in words and the swept value, such as "batch size 8".
func (id PointID) String() string {
	return fmt.Sprintf("%s %d", strings.ReplaceAll(id.Study, "-", " "), id.Value)
}

// Point is one setting of a sweep: so many requests, submitted at once.
type Point struct {
	// Study is the name of the study that the point belongs to.
	Study string `json:"study"`
	// Value is the swept parameter's value. No two points of a study have the same.
	Value int `json:"value"`
	// Requests is the number of requests handed to LLM.generate in one call.
	Requests int `json:"requests"`
	// InputLen is the length of each prompt, in tokens. Without meaning when Lengths is set.
	InputLen int `json:"input_len,omitempty"`
	// OutputLen is the number of tokens generated for each request. Without meaning when Lengths is set.
	OutputLen int `json:"output_len,omitempty"`
	// Lengths are the lengths of each request, when they differ; see [DrawLengths] and [PickLengths]. All trials
	// have the same, so that their times can be compared.
	Lengths []RequestLength `json:"lengths,omitempty"`
	// SharedPrefix is the number of tokens that all prompts begin with. The prefix cache is off all the same,
	// unless the engine's settings say otherwise.
	SharedPrefix int `json:"shared_prefix,omitempty"`
	// Label is what tables call the point; empty for the study's name and the value.
	Label string `json:"label,omitempty"`
	// Set are settings of the point's own.
	Set Set `json:"set,omitzero"`
}

// ID identifies the point.
func (p Point) ID() PointID { return PointID{p.Study, p.Value} }

// String is the study's name in words and the swept value, such as "batch size 8", or the label.
func (p Point) String() string {
	if p.Label != "" {
		return p.Label
	}
	return p.ID().String()
}

// name is the point's name within its study: its value or, when that only counts, its label.
func (p Point) name() string {
	value := strconv.Itoa(p.Value)
	if p.Label == "" || strings.HasSuffix(p.Label, "="+value) {
		return value
	}
	return p.Label
}

// requestLengths has the lengths of each request.
func (p Point) requestLengths() []RequestLength {
	if p.Lengths != nil {
		return p.Lengths
	}
	return slices.Repeat([]RequestLength{{p.InputLen, p.OutputLen}}, max(0, p.Requests))
}

// InputTokens is the number of prompt tokens of all requests.
func (p Point) InputTokens() int {
	total := 0
	for _, l := range p.requestLengths() {
		total += l.Input
	}
	return total
}

// OutputTokens is the number of generated tokens of all requests and all their completions.
func (p Point) OutputTokens() int {
	total := 0
	for _, l := range p.requestLengths() {
		total += l.Output
	}
	return total * p.completions()
}

// completions is the number of completions of each request.
func (p Point) completions() int {
	params, err := setSampling(vllmgo.SamplingParams{}, p.Set.Sampling)
	if err != nil {
		return 1 // Study.check refuses it
	}
	return max(1, params.N)
}

// longest is the length of the longest sequence, input and output together, and of the longest output.
func (p Point) longest() (sequence, output int) {
	for _, l := range p.requestLengths() {
		sequence, output = max(sequence, l.Input+l.Output), max(output, l.Output)
	}
	return sequence, output
}

// Shape is the point's requests and lengths in words.
func (p Point) Shape() string {
	if p.Lengths != nil {
		return fmt.Sprintf("%s of %d input and %d output tokens in all", count(p.Requests, "request"), p.InputTokens(), p.OutputTokens())
	}
	return fmt.Sprintf("%s of %d input and %d output tokens", count(p.Requests, "request"), p.InputLen, p.OutputLen)
}

// fixed says which of requests and lengths are the same for all points; empty when none.
func (s Study) fixed() string {
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
		return count(first.Requests, "request")
	}
	return ""
}

// check says what is wrong with a study.
func (s Study) check() error {
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
		if _, err := setSampling(vllmgo.SamplingParams{}, p.Set.Sampling); err != nil {
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
