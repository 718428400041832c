package bench_test

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

func runSoak(ctx context.Context, t testing.TB, lab *fake.Lab, requests, windows int) ([]journal.SoakWindow, string, error) {
	t.Helper()
	engine, err := lab.Open(ctx, vllmgo.EngineArgs{MaxNumSeqs: 256})
	require.NoError(t, err)
	vocabulary, err := workload.NewVocabulary(50272, []int32{1, 2})
	require.NoError(t, err)
	var done []journal.SoakWindow
	sum, err := bench.Soak(ctx, engine, bench.SoakSettings{
		Point:    workload.Point{Study: "soak", Value: 1, Requests: requests, InputLen: 128, OutputLen: 8},
		Requests: workload.Requests{Vocabulary: vocabulary}, Windows: windows,
		Window: func(w journal.SoakWindow) error { done = append(done, w); return nil },
	})
	return done, sum, err
}

func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	windows, sum, err := runSoak(t.Context(), t, &fake.Lab{}, 20_010, 20)
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

	var taken []workload.Request
	_, again, err := runSoak(t.Context(), t, &fake.Lab{Taken: func(p vllmgo.Prompt) { taken = append(taken, workload.Request{TokenIDs: p.TokenIDs}) }}, 20_010, 3)
	require.NoError(t, err)
	assert.Equal(t, sum, again)
	assert.Equal(t, sum, workload.HashRequests(taken[512:]), "after the warm-up")

	var table bytes.Buffer
	require.NoError(t, report.WriteSoak(&table, &journal.Soak{Windows: windows}))
	assert.Contains(t, table.String(), "20010")
	assert.Contains(t, table.String(), "from request 2001 to 19009: time for a request")
	assert.NoError(t, report.WriteSoak(&table, &journal.Soak{}))
}

func TestSoakFails(t *testing.T) {
	at := func(pass int, fault func(*vllmgo.Generation)) *fake.Lab {
		return &fake.Lab{Fault: func(n int, g *vllmgo.Generation) error {
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
	_, _, err = runSoak(ctx, t, at(30, func(*vllmgo.Generation) { cancel(fake.Err) }), 1000, 10)
	assert.ErrorIs(t, err, fake.Err)

	_, _, err = runSoak(t.Context(), t, &fake.Lab{}, 5, 10)
	assert.ErrorContains(t, err, "5 requests in 10 windows")
	engine, err := (&fake.Lab{}).Open(t.Context(), vllmgo.EngineArgs{MaxNumSeqs: 256})
	require.NoError(t, err)
	vocabulary, err := workload.NewVocabulary(1000, nil)
	require.NoError(t, err)
	_, err = bench.Soak(t.Context(), engine, bench.SoakSettings{
		Point: workload.Point{Study: "soak", Value: 1, Requests: 1000, InputLen: 4, OutputLen: 1}, Requests: workload.Requests{Vocabulary: vocabulary}, Windows: 10,
	})
	assert.ErrorContains(t, err, "may be alike")
	_, err = bench.Soak(t.Context(), engine, bench.SoakSettings{
		Point: workload.Point{Study: "soak", Value: 1, Requests: 1000, InputLen: 40, OutputLen: 1, SharedPrefix: 8}, Requests: workload.Requests{Vocabulary: vocabulary}, Windows: 10,
	})
	assert.ErrorContains(t, err, "cannot have a shared prefix")
}

// BenchmarkSoak sends a million requests of 128 input and 8 output tokens through an engine that
// does nothing, and prints the table.
func BenchmarkSoak(b *testing.B) {
	for b.Loop() {
		windows, _, err := runSoak(b.Context(), b, &fake.Lab{}, 1_000_000, 20)
		require.NoError(b, err)
		require.NoError(b, report.WriteSoak(os.Stdout, &journal.Soak{Header: journal.SoakHeader{Command: []string{"an engine that does nothing"}, Point: workload.Point{Requests: 1_000_000, InputLen: 128, OutputLen: 8}}, Windows: windows}))
	}
}
