package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/vllmgo"
)

// PointID identifies a point of a run.
type PointID struct {
	// Study is the name of the point's study.
	Study string `json:"study"`
	// Value is the point's value in that study.
	Value int `json:"value"`
}

// String returns the study's name in words and the value, such as "batch size 8".
func (id PointID) String() string {
	return fmt.Sprintf("%s %d", strings.ReplaceAll(id.Study, "-", " "), id.Value)
}

// Point is one setting of a sweep: a number of requests that are submitted at once.
type Point struct {
	// Study is the name of the point's study.
	Study string `json:"study"`
	// Value is the value of the swept parameter, or the point's number from 1 when that is not one
	// integer. No two points of a study have the same.
	Value int `json:"value"`
	// Requests is the number of requests in one call of LLM.generate.
	Requests int `json:"requests"`
	// InputLen is the length of each prompt, in tokens. It has no meaning when Lengths is set.
	InputLen int `json:"input_len,omitempty"`
	// OutputLen is the number of tokens to generate for each request. It has no meaning when
	// Lengths is set.
	OutputLen int `json:"output_len,omitempty"`
	// Lengths are the lengths of each request, when they differ; see [DrawLengths] and
	// [SampleLengths]. All trials of the point have the same, so that their times can be compared.
	Lengths []RequestLength `json:"lengths,omitempty"`
	// LengthsFile describes the file that Lengths were taken from; zero when there is none.
	LengthsFile LengthsFile `json:"lengths_file,omitzero"`
	// SharedPrefix is the number of tokens that all prompts begin with. It does not switch the
	// prefix cache on.
	SharedPrefix int `json:"shared_prefix,omitempty"`
	// Coordinates are the point's values on the axes of [NewStudy], in their order. Tables name the
	// point by them.
	Coordinates []Coordinate `json:"coordinates,omitempty"`
	// Set holds settings that this point alone has.
	Set Set `json:"set,omitzero"`
}

// Coordinate is a point's value on an axis.
type Coordinate struct {
	// Axis is the axis's name; see [Axis].
	Axis string `json:"axis"`
	// Value is one of the axis's values, as JSON has it.
	Value any `json:"value"`
}

// String returns the coordinate as a setting, such as "max_num_seqs=8".
func (c Coordinate) String() string { return c.Axis + "=" + c.Text() }

// Text returns the value: a string as it is, anything else as JSON.
func (c Coordinate) Text() string { return settingText(c.Value) }

// CoordinatesText returns coordinates as tables show them, such as "max_num_seqs=8, dtype=float16".
func CoordinatesText(coordinates []Coordinate) string {
	texts := make([]string, len(coordinates))
	for i, c := range coordinates {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}

// ID returns what identifies the point.
func (p Point) ID() PointID { return PointID{p.Study, p.Value} }

// String returns the point's coordinates or, without any, the study's name in words and the value,
// such as "batch size 8".
func (p Point) String() string {
	if len(p.Coordinates) > 0 {
		return CoordinatesText(p.Coordinates)
	}
	return p.ID().String()
}

// Name returns what to call the point where its study is known: its value, or its coordinates when
// the value only counts the points.
func (p Point) Name() string {
	value := strconv.Itoa(p.Value)
	if len(p.Coordinates) == 0 || len(p.Coordinates) == 1 && p.Coordinates[0].Text() == value {
		return value
	}
	return CoordinatesText(p.Coordinates)
}

// EachLength returns the lengths of all requests, in their order.
func (p Point) EachLength() []RequestLength {
	if p.Lengths != nil {
		return p.Lengths
	}
	return slices.Repeat([]RequestLength{{p.InputLen, p.OutputLen}}, max(0, p.Requests))
}

// InputTokens returns the number of prompt tokens of all requests.
func (p Point) InputTokens() int {
	if p.Lengths == nil {
		return max(0, p.Requests) * p.InputLen
	}
	total := 0
	for _, l := range p.Lengths {
		total += l.Input
	}
	return total
}

// OutputTokens returns the number of generated tokens of all completions of all requests.
func (p Point) OutputTokens() int {
	if p.Lengths == nil {
		return max(0, p.Requests) * p.OutputLen * p.Completions()
	}
	total := 0
	for _, l := range p.Lengths {
		total += l.Output
	}
	return total * p.Completions()
}

// Completions returns the number of completions of each request.
func (p Point) Completions() int {
	params, err := p.Set.SamplingParams(vllmgo.SamplingParams{})
	if err != nil {
		return 1 // Study.Validate refuses it
	}
	return max(1, params.N)
}

// Longest returns the length of the longest sequence, input and output together, and that of the
// longest output.
func (p Point) Longest() (sequence, output int) {
	for _, l := range p.EachLength() {
		sequence, output = max(sequence, l.Input+l.Output), max(output, l.Output)
	}
	return sequence, output
}

// Shape returns the number of requests and their lengths in words.
func (p Point) Shape() string {
	requests := format.Count(p.Requests, "request")
	if p.Lengths != nil {
		return fmt.Sprintf("%s of %d input and %d output tokens in all", requests, p.InputTokens(), p.OutputTokens())
	}
	return fmt.Sprintf("%s of %d input and %d output tokens", requests, p.InputLen, p.OutputLen)
}

// GeneratedRate returns the generated tokens a second of a pass that took the given time. It is the
// first of the two metrics.
func (p Point) GeneratedRate(elapsed time.Duration) float64 {
	return float64(p.OutputTokens()) / elapsed.Seconds()
}

// TotalRate returns the tokens a second, input and output together, of a pass that took the given
// time. It is the second of the two metrics.
func (p Point) TotalRate(elapsed time.Duration) float64 {
	return float64(p.InputTokens()+p.OutputTokens()) / elapsed.Seconds()
}

// settingText returns a value as tables show it: a string as it is, anything else as JSON.
func settingText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
