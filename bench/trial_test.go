package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/internal/ask"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// measureOnce warms a point up, unless full is false, and measures it.
func measureOnce(t *testing.T, lab *fake.Lab, p workload.Point, full bool) (journal.WarmUp, journal.Trial, error) {
	t.Helper()
	vocabulary, err := workload.NewVocabulary(1000, nil)
	require.NoError(t, err)
	requests, err := workload.Requests{Vocabulary: vocabulary}.Point(t.Context(), p)
	require.NoError(t, err)
	engine, err := lab.Open(t.Context(), vllmgo.EngineArgs{})
	require.NoError(t, err)
	w, err := warmUp(t.Context(), engine, &pointRun{Point: p, requests: requests}, full, terms{Terms: ask.Terms{Detokenize: true}}, func(int, time.Duration) {})
	if err != nil {
		return w, journal.Trial{}, err
	}
	pass, err := requests.Trial(t.Context(), 1)
	require.NoError(t, err)
	trial, err := runTrial(t.Context(), engine, p, pass, terms{Terms: ask.Terms{Detokenize: true}}, func() func() journal.Usage { return func() journal.Usage { return journal.Usage{} } })
	return w, trial, err
}

func TestTrial(t *testing.T) {
	lab := &fake.Lab{}
	w, trial, err := measureOnce(t, lab, point(4, 100, 50), true)
	require.NoError(t, err)
	assert.Equal(t, []string{"open 0", "generate 1 100/50", "generate 4 100/50", "generate 4 100/50", "generate 4 100/50"}, lab.Events)
	assert.Equal(t, 506*time.Millisecond, trial.Elapsed)
	assert.Equal(t, journal.Ledger{PromptsSHA256: trial.Ledger.PromptsSHA256, Requests: 4, InputTokens: 400, OutputTokens: 200}, trial.Ledger)
	assert.Len(t, trial.Ledger.PromptsSHA256, 64)
	assert.Equal(t, 501500*time.Microsecond, w.Single)
	assert.Equal(t, []time.Duration{506 * time.Millisecond, 506 * time.Millisecond}, w.Passes)
	assert.True(t, w.Stable)

	want := vllmgo.Greedy(50)
	want.IgnoreEOS, want.MinTokens = true, 50
	assert.Equal(t, want, lab.Params)
	assert.Equal(t, new(false), terms{}.Params(1).Detokenize)
}

func TestTrialOfDifferentLengths(t *testing.T) {
	p := point(3, 0, 0)
	p.Lengths = []workload.RequestLength{{Input: 8, Output: 2}, {Input: 16, Output: 5}, {Input: 4, Output: 1}}
	_, trial, err := measureOnce(t, &fake.Lab{}, p, true)
	require.NoError(t, err)
	assert.Equal(t, 28, trial.Ledger.InputTokens)
	assert.Equal(t, 8, trial.Ledger.OutputTokens)
}

// Warming up ends with the first pass that is not faster by more than 5 %, and after five in any
// case.
func TestWarmUp(t *testing.T) {
	for _, c := range []struct {
		seconds []float64
		passes  int
		stable  bool
	}{
		{[]float64{9, 2, 1, 0.96, 0.5}, 4, true},
		{[]float64{9, 8, 7, 6, 5}, 5, false},
		{[]float64{1, 2}, 2, true},
	} {
		lab := &fake.Lab{}
		lab.Fault = func(pass int, g *vllmgo.Generation) error {
			if pass > 1 && pass-2 < len(c.seconds) {
				g.Elapsed = time.Duration(c.seconds[pass-2] * float64(time.Second))
			}
			return nil
		}
		w, _, err := measureOnce(t, lab, point(2, 8, 4), true)
		require.NoError(t, err)
		assert.Len(t, w.Passes, c.passes)
		assert.Equal(t, c.stable, w.Stable)
	}
	w, _, err := measureOnce(t, &fake.Lab{}, point(2, 8, 4), false)
	require.NoError(t, err)
	assert.Empty(t, w.Passes, "the notebook's")
	assert.Positive(t, w.Single)
}

func TestTrialFaults(t *testing.T) {
	faults := map[string]struct {
		fault func(*vllmgo.Generation)
		want  string
	}{
		"one token too few": {
			func(g *vllmgo.Generation) { g.Outputs[2].Outputs[0].TokenIDs = make([]int32, 49) },
			"request 3 of 4: 49 tokens were generated, 50 were asked for",
		},
		"one token too many": {
			func(g *vllmgo.Generation) { g.Outputs[0].Outputs[0].TokenIDs = make([]int32, 51) },
			"request 1 of 4: 51 tokens were generated, 50 were asked for",
		},
		"one output too few": {
			func(g *vllmgo.Generation) { g.Outputs = g.Outputs[:3] },
			"4 prompts sent, 3 outputs came back",
		},
		"finish reason": {
			func(g *vllmgo.Generation) { g.Outputs[3].Outputs[0].FinishReason = "stop" },
			`request 4 of 4: it finished for the reason "stop", not "length"`,
		},
		"cached tokens": {
			func(g *vllmgo.Generation) { g.Outputs[1].NumCachedTokens = 16 },
			"request 2 of 4: 16 prompt tokens came from the prefix cache",
		},
		"another prompt": {
			func(g *vllmgo.Generation) { g.Outputs[1].PromptTokenIDs[99]++ },
			"request 2 of 4: the engine saw other prompt tokens than were sent",
		},
		"a longer prompt": {
			func(g *vllmgo.Generation) { g.Outputs[1].PromptTokenIDs = make([]int32, 101) },
			"request 2 of 4: the engine saw a prompt of 101 tokens, 100 were sent",
		},
		"no completion": {
			func(g *vllmgo.Generation) { g.Outputs[1].Outputs = nil },
			"request 2 of 4: 0 completions came back, 1 asked for",
		},
		"no time": {
			func(g *vllmgo.Generation) { g.Elapsed = 0 },
			"elapsed time of 0s",
		},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			for pass, passName := range map[int]string{2: "warm-up pass 1: ", 3: "warm-up pass 2: ", 4: ""} {
				lab := &fake.Lab{Fault: func(n int, g *vllmgo.Generation) error {
					if n == pass {
						f.fault(g)
					}
					return nil
				}}
				_, _, err := measureOnce(t, lab, point(4, 100, 50), true)
				require.ErrorContains(t, err, passName)
				require.ErrorContains(t, err, f.want)
			}
		})
	}
}

func TestTrialWithoutCacheCount(t *testing.T) {
	lab := &fake.Lab{Fault: func(_ int, g *vllmgo.Generation) error {
		for i := range g.Outputs {
			g.Outputs[i].NumCachedTokens = -1
		}
		return nil
	}}
	_, trial, err := measureOnce(t, lab, point(4, 100, 50), true)
	assert.NoError(t, err)
	assert.Equal(t, -1, trial.Ledger.CachedTokens)
}

func TestTrialEngineError(t *testing.T) {
	lab := &fake.Lab{Fault: func(int, *vllmgo.Generation) error { return fake.Err }}
	_, _, err := measureOnce(t, lab, point(4, 100, 50), true)
	assert.ErrorIs(t, err, fake.Err)
	assert.ErrorContains(t, err, "the single request: ")
}

var _ Engine = (*fake.Engine)(nil)

var _ OpenFunc = fake.Opener[Engine](&fake.Lab{})

// point returns a point of so many requests.
func point(requests, inputLen, outputLen int) workload.Point {
	return workload.Point{Study: string(workload.BatchSize), Value: requests, Requests: requests, InputLen: inputLen, OutputLen: outputLen}
}
