package vllmgo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/vllmgo"
)

// testOdd makes calls that are known to have ended engines, or made them hang. Each may succeed or
// fail; the engine goes on, and a good call answers as before.
func (i *isolation) testOdd(t *testing.T) {
	with := func(change func(*vllmgo.SamplingParams)) vllmgo.SamplingParams {
		params := exactly(3)
		change(&params)
		return params
	}
	structured := func(s vllmgo.StructuredOutputs) vllmgo.SamplingParams {
		return with(func(p *vllmgo.SamplingParams) { p.StructuredOutputs = &s })
	}
	schema := func(text string) vllmgo.SamplingParams {
		return structured(vllmgo.StructuredOutputs{JSON: json.RawMessage(text)})
	}
	const unknown = 1 << 30 // a token ID
	params := map[string]vllmgo.SamplingParams{
		"a bias for an unknown token":    with(func(p *vllmgo.SamplingParams) { p.LogitBias = map[int32]float64{unknown: 1} }),
		"a bias for a negative token":    with(func(p *vllmgo.SamplingParams) { p.LogitBias = map[int32]float64{-1: 1} }),
		"an infinite bias":               with(func(p *vllmgo.SamplingParams) { p.LogitBias = map[int32]float64{5: math.Inf(1)} }),
		"a huge bias":                    with(func(p *vllmgo.SamplingParams) { p.LogitBias = map[int32]float64{5: 1e300} }),
		"unknown tokens allowed":         with(func(p *vllmgo.SamplingParams) { p.AllowedTokenIDs = []int32{unknown} }),
		"negative tokens allowed":        with(func(p *vllmgo.SamplingParams) { p.AllowedTokenIDs = []int32{-1} }),
		"no tokens allowed":              with(func(p *vllmgo.SamplingParams) { p.AllowedTokenIDs = []int32{} }),
		"an unknown stop token":          with(func(p *vllmgo.SamplingParams) { p.StopTokenIDs = []int32{unknown} }),
		"a negative stop token":          with(func(p *vllmgo.SamplingParams) { p.StopTokenIDs, p.MinTokens = []int32{-1}, 2 }),
		"an empty stop string":           with(func(p *vllmgo.SamplingParams) { p.Stop = []string{""} }),
		"an empty bad word":              with(func(p *vllmgo.SamplingParams) { p.BadWords = []string{""} }),
		"a very long bad word":           with(func(p *vllmgo.SamplingParams) { p.BadWords = []string{strings.Repeat("bad ", 5000)} }),
		"the largest seed":               with(func(p *vllmgo.SamplingParams) { p.Seed, p.Temperature = new(math.MaxInt64), nil }),
		"a negative seed":                with(func(p *vllmgo.SamplingParams) { p.Seed, p.Temperature = new(-5), nil }),
		"the smallest seed":              with(func(p *vllmgo.SamplingParams) { p.Seed, p.Temperature = new(math.MinInt64), nil }),
		"all logprobs":                   with(func(p *vllmgo.SamplingParams) { p.Logprobs = new(-1) }),
		"all logprobs of the prompt":     with(func(p *vllmgo.SamplingParams) { p.PromptLogprobs = new(-1) }),
		"logprobs of unknown tokens":     with(func(p *vllmgo.SamplingParams) { p.LogprobTokenIDs = []int32{unknown} }),
		"top-k above the vocabulary":     with(func(p *vllmgo.SamplingParams) { p.TopK, p.Temperature = 1<<30, nil }),
		"a tiny temperature":             with(func(p *vllmgo.SamplingParams) { p.Temperature = new(1e-300) }),
		"a huge temperature":             with(func(p *vllmgo.SamplingParams) { p.Temperature = new(1e300) }),
		"more completions than fit":      with(func(p *vllmgo.SamplingParams) { p.N, p.Temperature = 40, nil }),
		"a huge number of completions":   with(func(p *vllmgo.SamplingParams) { p.N, p.Temperature = 100_000_000, nil }),
		"a penalty of infinity":          with(func(p *vllmgo.SamplingParams) { p.RepetitionPenalty = 1e300 }),
		"tiny patterns":                  with(func(p *vllmgo.SamplingParams) { p.RepetitionDetection = &vllmgo.RepetitionDetection{MinCount: 2} }),
		"a schema with a bad $ref":       schema(`{"$ref": "#/$defs/none"}`),
		"a schema that refers to itself": schema(`{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}`),
		"a schema of an unknown type":    schema(`{"type": "no such type"}`),
		"a schema that nothing fits":     schema(`{"type": "string", "minLength": 5, "maxLength": 1}`),
		"a schema that is a number":      schema(`5`),
		"a schema with a bad pattern":    schema(`{"type": "string", "pattern": "("}`),
		"a deep schema":                  schema(strings.Repeat(`{"type":"array","items":`, 200) + `{}` + strings.Repeat(`}`, 200)),
		"a bad grammar":                  structured(vllmgo.StructuredOutputs{Grammar: "root ::= none"}),
		"an empty choice":                structured(vllmgo.StructuredOutputs{Choice: []string{}}),
		"a choice of nothing":            structured(vllmgo.StructuredOutputs{Choice: []string{""}}),
		"a huge regex":                   structured(vllmgo.StructuredOutputs{Regex: `(a{1,30}){1,30}b`}),
		"a lookahead":                    structured(vllmgo.StructuredOutputs{Regex: `(?=a)b`}),
		"a bad structural tag":           structured(vllmgo.StructuredOutputs{StructuralTag: `{"no": "tag"}`}),
		"unknown extra arguments":        with(func(p *vllmgo.SamplingParams) { p.ExtraArgs = map[string]any{"x": []any{1, nil}} }),
	}
	odd := []string{"\x00", "\ufffe", "<|im_start|><|im_end|>", strings.Repeat("\u200d", 50), "\U0001F469\u200d\U0001F680"}
	for name, p := range params {
		i.runOdd(t, name, vllmgo.Prompt{Text: "The number is"}, p)
	}
	for _, text := range odd {
		i.runOdd(t, fmt.Sprintf("%q", text), vllmgo.Prompt{Text: text}, exactly(3))
	}
	for _, ids := range [][]int32{{-1}, {0}, {49151}, {49152}, make([]int32, 255), make([]int32, 256)} {
		i.runOdd(t, fmt.Sprintf("%d tokens, the first %d", len(ids), ids[0]), vllmgo.Prompt{TokenIDs: ids}, exactly(1))
	}
}

func (i *isolation) runOdd(t *testing.T, name string, prompt vllmgo.Prompt, params vllmgo.SamplingParams) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, alone := i.llm.Generate(ctx, []vllmgo.Prompt{prompt}, params)
	var shared error
	for _, shared = range i.llm.Stream(ctx, prompt, params) {
	}
	t.Logf("%s: %.200v; as a stream: %.200v", name, alone, shared)
	assert.Equal(t, alone == nil, shared == nil, name)
	for _, err := range []error{alone, shared} {
		assert.NotErrorIs(t, err, context.DeadlineExceeded, name)
		if !assert.NotErrorIs(t, err, vllmgo.ErrEngineDead, name) {
			t.FailNow()
		}
	}
	i.runGood(t, i.good[0], 0)
}
