package bench

import (
	"fmt"
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

// Point is one setting of a sweep: so many requests of the same lengths, submitted at once.
type Point struct {
	// Study is the name of the study that the point belongs to.
	Study string `json:"study"`
	// Value is the swept parameter's value.
	Value int `json:"value"`
	// Requests is the number of requests handed to LLM.generate in one call.
	Requests int `json:"requests"`
	// InputLen is the length of each prompt, in tokens.
	InputLen int `json:"input_len"`
	// OutputLen is the number of tokens generated for each request.
	OutputLen int `json:"output_len"`
}

// String is the study's name in words and the swept value, such as "batch size 8".
func (p Point) String() string {
	return fmt.Sprintf("%s %d", strings.ReplaceAll(p.Study, "-", " "), p.Value)
}

// InputTokens is the number of prompt tokens of all requests.
func (p Point) InputTokens() int { return p.Requests * p.InputLen }

// OutputTokens is the number of generated tokens of all requests.
func (p Point) OutputTokens() int { return p.Requests * p.OutputLen }

// shape is the point's requests and lengths in words.
func (p Point) shape() string {
	return fmt.Sprintf("%s of %d input and %d output tokens", count(p.Requests, "request"), p.InputLen, p.OutputLen)
}

// fixed says which of requests and lengths are the same for all points; empty when none.
func (s Study) fixed() string {
	first := s.Points[0]
	requests, lengths := true, true
	for _, p := range s.Points {
		requests = requests && p.Requests == first.Requests
		lengths = lengths && p.InputLen == first.InputLen && p.OutputLen == first.OutputLen
	}
	switch {
	case lengths:
		return fmt.Sprintf("%d input and %d output tokens a request", first.InputLen, first.OutputLen)
	case requests:
		return count(first.Requests, "request")
	}
	return ""
}

// engineArgs are base with the study's settings: its limits, and no prefix caching, since a prompt that the
// cache answers is not measured.
func (s Study) engineArgs(base vllmgo.EngineArgs) vllmgo.EngineArgs {
	base.MaxNumBatchedTokens = s.MaxNumBatchedTokens
	base.MaxNumSeqs = s.MaxNumSeqs
	base.EnablePrefixCaching = new(false)
	return base
}
