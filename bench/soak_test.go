package bench

import (
	"bytes"
	"context"
	"iter"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// GenerateSeq holds as many requests as vllmgo does, and ends them in an order of its own: the latest of those that it
// holds first, then the earliest.
func (e *fakeEngine) GenerateSeq(ctx context.Context, prompts iter.Seq2[vllmgo.Prompt, vllmgo.SamplingParams]) iter.Seq2[vllmgo.SeqOutput, error] {
	type held struct {
		index  int
		prompt vllmgo.Prompt
		params vllmgo.SamplingParams
	}
	return func(yield func(vllmgo.SeqOutput, error) bool) {
		next, stop := iter.Pull2(prompts)
		defer stop()
		var holds []held
		for index, more := 0, true; ; {
			for more && len(holds) < 2*e.args.MaxNumSeqs {
				h := held{index: index}
				if h.prompt, h.params, more = next(); more {
					if e.lab.taken != nil {
						e.lab.taken(h.prompt)
					}
					holds = append(holds, h)
					index++
				}
			}
			if len(holds) == 0 {
				return
			}
			h := holds[0]
			if index%2 == 0 {
				h, holds = holds[len(holds)-1], holds[:len(holds)-1]
			} else {
				holds = append(holds[:0], holds[1:]...)
			}
			output := vllmgo.SeqOutput{Index: h.index}
			g, err := e.Generate(ctx, []vllmgo.Prompt{h.prompt}, h.params)
			if err == nil {
				output.RequestOutput = g.Outputs[0]
			}
			e.lab.events = nil
			if !yield(output, err) {
				return
			}
		}
	}
}

func runSoak(ctx context.Context, t testing.TB, lab *fakeLab, requests, windows int) ([]SoakWindow, string, error) {
	t.Helper()
	engine, err := lab.open(ctx, vllmgo.EngineArgs{MaxNumSeqs: 256})
	require.NoError(t, err)
	vocabulary, err := NewVocabulary(50272, []int32{1, 2})
	require.NoError(t, err)
	var done []SoakWindow
	sum, err := Soak(ctx, engine.(SeqEngine), SoakSettings{
		Point:    Point{Study: "soak", Value: 1, Requests: requests, InputLen: 128, OutputLen: 8},
		Requests: Requests{Vocabulary: vocabulary}, Windows: windows,
		Window: func(w SoakWindow) error { done = append(done, w); return nil },
	})
	return done, sum, err
}

func TestSoak(t *testing.T) {
	windows, sum, err := runSoak(t.Context(), t, &fakeLab{}, 20_010, 20)
	require.NoError(t, err)
	require.Len(t, windows, 20)
	before := 0
	for i, w := range windows {
		assert.Equal(t, (i+1)*20_010/20, w.Requests)
		assert.Equal(t, 128*(w.Requests-before), w.InputTokens)
		assert.Equal(t, 8*(w.Requests-before), w.OutputTokens)
		assert.Positive(t, w.Elapsed)
		assert.Positive(t, w.Process)
		before = w.Requests
	}
	// 10,000 requests have 5 MB of prompts and outputs.
	assert.Less(t, windows[19].GoHeap, windows[9].GoHeap+1<<20, "results are not held")

	var taken []Request
	_, again, err := runSoak(t.Context(), t, &fakeLab{taken: func(p vllmgo.Prompt) { taken = append(taken, Request{TokenIDs: p.TokenIDs}) }}, 20_010, 3)
	require.NoError(t, err)
	assert.Equal(t, sum, again)
	assert.Equal(t, sum, HashRequests(taken[512:]), "after the warm-up")

	var table bytes.Buffer
	require.NoError(t, WriteSoak(&table, "Soak", windows))
	assert.Contains(t, table.String(), "20010")
	assert.Contains(t, table.String(), "from request 2001 to 19009: time for a request")
	assert.NoError(t, WriteSoak(&table, "Soak", nil))
}

func TestSoakFails(t *testing.T) {
	at := func(pass int, fault func(*vllmgo.Generation)) *fakeLab {
		return &fakeLab{fault: func(n int, g *vllmgo.Generation) error {
			if n == 512+pass { // after the warm-up
				fault(g)
			}
			return nil
		}}
	}
	windows, _, err := runSoak(t.Context(), t, at(700, func(g *vllmgo.Generation) { g.Outputs[0].PromptTokenIDs[5]++ }), 1000, 10)
	assert.ErrorContains(t, err, "other prompt tokens than were sent")
	assert.Len(t, windows, 6, "what was measured is there")
	_, _, err = runSoak(t.Context(), t, at(700, func(g *vllmgo.Generation) { g.Outputs[0].NumCachedTokens = 3 }), 1000, 10)
	assert.ErrorContains(t, err, "prefix cache")
	_, _, err = runSoak(t.Context(), t, at(700, func(g *vllmgo.Generation) { g.Outputs[0].Outputs[0].TokenIDs = nil }), 1000, 10)
	assert.ErrorContains(t, err, "0 tokens were generated, 8 were asked for")

	ctx, cancel := context.WithCancelCause(t.Context())
	_, _, err = runSoak(ctx, t, at(30, func(*vllmgo.Generation) { cancel(errFake) }), 1000, 10)
	assert.ErrorIs(t, err, errFake)

	_, _, err = runSoak(t.Context(), t, &fakeLab{}, 5, 10)
	assert.ErrorContains(t, err, "5 requests in 10 windows")
	engine, err := (&fakeLab{}).open(t.Context(), vllmgo.EngineArgs{MaxNumSeqs: 256})
	require.NoError(t, err)
	vocabulary, err := NewVocabulary(1000, nil)
	require.NoError(t, err)
	_, err = Soak(t.Context(), engine.(SeqEngine), SoakSettings{
		Point: Point{Study: "soak", Value: 1, Requests: 1000, InputLen: 4, OutputLen: 1}, Requests: Requests{Vocabulary: vocabulary}, Windows: 10,
	})
	assert.ErrorContains(t, err, "may be alike")
	_, err = Soak(t.Context(), engine.(SeqEngine), SoakSettings{
		Point: Point{Study: "soak", Value: 1, Requests: 1000, InputLen: 40, OutputLen: 1, SharedPrefix: 8}, Requests: Requests{Vocabulary: vocabulary}, Windows: 10,
	})
	assert.ErrorContains(t, err, "no shared prefix")
}

// BenchmarkSoak sends a million requests of 128 input and 8 output tokens through an engine that does nothing, and prints
// the table.
func BenchmarkSoak(b *testing.B) {
	for b.Loop() {
		windows, _, err := runSoak(b.Context(), b, &fakeLab{}, 1_000_000, 20)
		require.NoError(b, err)
		require.NoError(b, WriteSoak(os.Stdout, "1,000,000 requests of 128 input and 8 output tokens, an engine that does nothing", windows))
	}
}
