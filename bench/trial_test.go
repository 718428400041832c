package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

func measureOnce(t *testing.T, lab *fakeLab, p Point) (Trial, error) {
	t.Helper()
	w, err := testVocabulary(t, 1000).Workload(p, 1, 0)
	require.NoError(t, err)
	engine, err := lab.open(t.Context(), vllmgo.EngineArgs{})
	require.NoError(t, err)
	return runTrial(t.Context(), engine, p, w, samplingParams(p.OutputLen, true), func(int, time.Duration) {})
}

func TestTrial(t *testing.T) {
	lab := &fakeLab{}
	trial, err := measureOnce(t, lab, testPoint(4, 100, 50))
	require.NoError(t, err)
	assert.Equal(t, []string{"open 0", "generate 1 100/50", "generate 4 100/50", "generate 4 100/50"}, lab.events)
	assert.Equal(t, 506*time.Millisecond, trial.Elapsed)
	assert.Equal(t, 501500*time.Microsecond, trial.SingleElapsed)
	assert.Equal(t, 506*time.Millisecond, trial.WarmUpElapsed)
	assert.Len(t, trial.PromptsSHA256, 64)

	want := vllmgo.SamplingParams{Temperature: new(0.0), IgnoreEOS: true, MinTokens: 50, MaxTokens: 50}
	assert.Equal(t, want, lab.params)
	assert.Equal(t, new(false), samplingParams(1, false).Detokenize)
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
			"request 2 of 4: 0 completions came back, 1 was asked for",
		},
		"no time": {
			func(g *vllmgo.Generation) { g.Elapsed = 0 },
			"elapsed time of 0s",
		},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			for pass, passName := range map[int]string{2: "the warm-up pass: ", 3: "the measured pass: "} {
				lab := &fakeLab{fault: func(n int, g *vllmgo.Generation) error {
					if n == pass {
						f.fault(g)
					}
					return nil
				}}
				_, err := measureOnce(t, lab, testPoint(4, 100, 50))
				require.ErrorContains(t, err, passName)
				require.ErrorContains(t, err, f.want)
			}
		})
	}
}

func TestTrialWithoutCacheCount(t *testing.T) {
	lab := &fakeLab{fault: func(_ int, g *vllmgo.Generation) error {
		for i := range g.Outputs {
			g.Outputs[i].NumCachedTokens = -1
		}
		return nil
	}}
	_, err := measureOnce(t, lab, testPoint(4, 100, 50))
	assert.NoError(t, err)
}

func TestTrialEngineError(t *testing.T) {
	lab := &fakeLab{fault: func(int, *vllmgo.Generation) error { return errFake }}
	_, err := measureOnce(t, lab, testPoint(4, 100, 50))
	assert.ErrorIs(t, err, errFake)
	assert.ErrorContains(t, err, "the single request: ")
}

var _ Engine = (*fakeEngine)(nil)
var _ OpenFunc = (&fakeLab{}).open
