package workload

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vllmgo/internal/format"
	"vllmgo/vllmgo"
)

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

// Name is the point's name within its study: its value or, when that only counts, its label.
func (p Point) Name() string {
	value := strconv.Itoa(p.Value)
	if p.Label == "" || strings.HasSuffix(p.Label, "="+value) {
		return value
	}
	return p.Label
}

// AllLengths has the lengths of each request.
func (p Point) AllLengths() []RequestLength {
	if p.Lengths != nil {
		return p.Lengths
	}
	return slices.Repeat([]RequestLength{{p.InputLen, p.OutputLen}}, max(0, p.Requests))
}

// InputTokens is the number of prompt tokens of all requests.
func (p Point) InputTokens() int {
	total := 0
	for _, l := range p.AllLengths() {
		total += l.Input
	}
	return total
}

// OutputTokens is the number of generated tokens of all requests and all their completions.
func (p Point) OutputTokens() int {
	total := 0
	for _, l := range p.AllLengths() {
		total += l.Output
	}
	return total * p.Completions()
}

// Completions is the number of completions of each request.
func (p Point) Completions() int {
	params, err := SetSampling(vllmgo.SamplingParams{}, p.Set.Sampling)
	if err != nil {
		return 1 // Study.check refuses it
	}
	return max(1, params.N)
}

// Longest is the length of the longest sequence, input and output together, and of the longest output.
func (p Point) Longest() (sequence, output int) {
	for _, l := range p.AllLengths() {
		sequence, output = max(sequence, l.Input+l.Output), max(output, l.Output)
	}
	return sequence, output
}

// Shape is the point's requests and lengths in words.
func (p Point) Shape() string {
	if p.Lengths != nil {
		return fmt.Sprintf("%s of %d input and %d output tokens in all", format.Count(p.Requests, "request"), p.InputTokens(), p.OutputTokens())
	}
	return fmt.Sprintf("%s of %d input and %d output tokens", format.Count(p.Requests, "request"), p.InputLen, p.OutputLen)
}

// GeneratedRate is the metric in front: tokens generated a second.
func (p Point) GeneratedRate(elapsed time.Duration) float64 {
	return float64(p.OutputTokens()) / elapsed.Seconds()
}

func (p Point) TotalRate(elapsed time.Duration) float64 {
	return float64(p.InputTokens()+p.OutputTokens()) / elapsed.Seconds()
}

// with is the point with one setting more.
func (p Point) with(name string, value any) (Point, error) {
	if p.Lengths != nil && (name == "requests" || name == "input_len" || name == "output_len") {
		return p, fmt.Errorf("bench: %s cannot vary while each request has a length of its own", name)
	}
	if base := strings.TrimPrefix(name, "engine."); base == "model" || base == "tokenizer" {
		return p, fmt.Errorf("bench: %s is the same for a whole run, since requests depend on it: make a run for each", name)
	}
	p.Set = Set{Engine: maps.Clone(p.Set.Engine), Sampling: maps.Clone(p.Set.Sampling), Env: maps.Clone(p.Set.Env)}
	kind, key, found := strings.Cut(name, ".")
	if !found {
		kind, key = "engine", name
	}
	switch kind {
	case "sampling":
		p.Set.Sampling = put(p.Set.Sampling, key, value)
	case "env":
		p.Set.Env = put(p.Set.Env, key, settingText(value))
	case "engine":
		ints := map[string]*int{"requests": &p.Requests, "input_len": &p.InputLen, "output_len": &p.OutputLen, "shared_prefix": &p.SharedPrefix}
		if target := ints[key]; target != nil && !found {
			values, ok := integers([]any{value})
			if !ok {
				return p, fmt.Errorf("bench: %s=%s is no whole number", name, settingText(value))
			}
			*target = values[0]
			break
		}
		p.Set.Engine = put(p.Set.Engine, key, value)
	default:
		return p, fmt.Errorf("bench: no axis %q: before the point stands engine, sampling or env", name)
	}
	return p, nil
}
