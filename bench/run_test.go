package bench

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// testSettings are a run of the preset quick on a fake engine, in a new directory.
func testSettings(t *testing.T, lab *fakeLab) Settings {
	t.Helper()
	studies, err := Preset("quick")
	require.NoError(t, err)
	return Settings{
		Dir:         filepath.Join(t.TempDir(), "results"),
		Open:        lab.open,
		EngineArgs:  vllmgo.EngineArgs{Model: "/tmp/model"},
		ModelConfig: opt125m(),
		Device:      "cpu",
		Vocabulary:  testVocabulary(t, 50272, 1, 2),
		Studies:     studies,
		ModelName:   "facebook/opt-125m",
		Preset:      "quick",
		Command:     []string{"all"},
	}
}

// tiny cuts studies down to a few points of a few tokens.
func tiny(studies ...string) []Study {
	var all []Study
	for i, name := range studies {
		s := Study{Name: name, Parameter: strings.ReplaceAll(name, "-", " "), Unit: "requests", MaxNumBatchedTokens: 1024 << i, MaxNumSeqs: 8}
		for _, n := range []int{1, 2, 4} {
			s.Points = append(s.Points, Point{Study: name, Value: n, Requests: n, InputLen: 8, OutputLen: 4})
		}
		all = append(all, s)
	}
	return all
}

func readResults(t *testing.T, s Settings) *Results {
	t.Helper()
	journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
	require.NoError(t, err)
	return NewResults(journal)
}

func TestRunSharesEngines(t *testing.T) {
	lab := &fakeLab{}
	s := testSettings(t, lab)
	var progress bytes.Buffer
	s.Progress = &progress
	require.NoError(t, Run(t.Context(), s))

	var engines []string
	for _, event := range lab.events {
		if !strings.HasPrefix(event, "generate") {
			engines = append(engines, event)
		}
	}
	assert.Equal(t, []string{"open 2048", "close 2048", "open 4096", "close 4096"}, engines)
	assert.Equal(t, 16*3, lab.passes)

	r := readResults(t, s)
	assert.True(t, r.Complete())
	require.Len(t, r.Engines, 2)
	for i, args := range []int{2048, 4096} {
		assert.Equal(t, i+1, r.Engines[i].Number)
		assert.Equal(t, args, r.Engines[i].Args.MaxNumBatchedTokens)
		assert.Equal(t, 256, r.Engines[i].Args.MaxNumSeqs)
		assert.Equal(t, new(false), r.Engines[i].Args.EnablePrefixCaching)
		assert.Positive(t, r.Engines[i].Args.KVCacheMemoryBytes)
		assert.Contains(t, r.Engines[i].Notice, "KV cache of")
	}
	assert.Equal(t, 1, r.Studies[0].Rows[0].Engine)
	assert.Equal(t, 2, r.Studies[1].Rows[0].Engine)
	assert.Equal(t, 2, r.Studies[2].Rows[0].Engine)

	assert.Contains(t, progress.String(), "engine 1 of 2: loading facebook/opt-125m")
	assert.Contains(t, progress.String(), "[1/16] batch size 1: ")
	assert.Contains(t, progress.String(), " left\n")
	assert.NotContains(t, progress.String(), "\r", "no terminal")
}

func TestRunNoKVPlanOnGPU(t *testing.T) {
	lab := &fakeLab{}
	s := testSettings(t, lab)
	s.Device = "cuda"
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
	assert.Zero(t, r.Engines[0].Args.KVCacheMemoryBytes)
	assert.Empty(t, r.Engines[0].Notice)
}

func TestRunDetokenizes(t *testing.T) {
	for _, skip := range []bool{false, true} {
		lab := &fakeLab{}
		s := testSettings(t, lab)
		s.Studies = tiny(BatchSize)
		s.EngineArgs.SkipTokenizerInit = skip
		require.NoError(t, Run(t.Context(), s))
		if skip {
			assert.Equal(t, new(false), lab.params.Detokenize)
		} else {
			assert.Nil(t, lab.params.Detokenize)
		}
	}
}

func TestRunTrials(t *testing.T) {
	lab := &fakeLab{}
	// Trial 2 of the first point is slower by 30 ms, trial 3 fails.
	lab.fault = func(pass int, g *vllmgo.Generation) error {
		switch pass {
		case 12:
			g.Elapsed += 30e6
		case 21:
			return errFake
		}
		return nil
	}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	s.Trials = 3
	require.NoError(t, Run(t.Context(), s))

	r := readResults(t, s)
	rows := r.Studies[0].Rows
	require.Len(t, rows[0].Trials, 2)
	assert.NotEqual(t, rows[0].Trials[0].PromptsSHA256, rows[0].Trials[1].PromptsSHA256)
	assert.Equal(t, rows[0].Trials[0].Elapsed+15e6, rows[0].Elapsed.Value, "the median")
	assert.Equal(t, []string{"the measured pass: " + errFake.Error(), "2 of 3 trials succeeded"}, rows[0].Notes)
	assert.Equal(t, Measured, rows[0].Status)
	assert.Len(t, rows[1].Trials, 3)
	assert.Empty(t, rows[1].Notes)
	assert.False(t, r.Complete())
}

func TestRunGoesOnAfterFailures(t *testing.T) {
	lab := &fakeLab{}
	lab.fault = func(pass int, g *vllmgo.Generation) error {
		switch pass {
		case 3:
			return errFake
		case 6:
			g.Outputs[1].Outputs[0].TokenIDs = make([]int32, 3)
		}
		return nil
	}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
	rows := r.Studies[0].Rows
	assert.Equal(t, []Status{Failed, Failed, Measured}, []Status{rows[0].Status, rows[1].Status, rows[2].Status})
	assert.Equal(t, []string{"the measured pass: the fake engine broke"}, rows[0].Notes)
	assert.Equal(t, []string{"the measured pass: request 2 of 2: 3 tokens were generated, 4 were asked for"}, rows[1].Notes)
	assert.Equal(t, "close 1024", lab.events[len(lab.events)-1])
}

func TestRunEngineDoesNotOpen(t *testing.T) {
	lab := &fakeLab{}
	lab.openErr = func(args vllmgo.EngineArgs) error {
		if args.MaxNumBatchedTokens == 1024 {
			return errFake
		}
		return nil
	}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize, RequestCount)
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
	for _, row := range r.Studies[0].Rows {
		assert.Equal(t, Failed, row.Status)
		assert.Equal(t, []string{"the engine did not open: the fake engine broke"}, row.Notes)
	}
	for _, row := range r.Studies[1].Rows {
		assert.Equal(t, Measured, row.Status)
		assert.Equal(t, 2, row.Engine)
	}
	assert.Equal(t, []string{"open 1024", "open 2048"}, []string{lab.events[0], lab.events[1]})
}

func TestRunEngineDies(t *testing.T) {
	lab := &fakeLab{}
	lab.fault = func(pass int, _ *vllmgo.Generation) error {
		if pass >= 5 && !slices.Contains(lab.events, "open 2048") {
			return errFake // the first engine is dead from its fifth pass on
		}
		return nil
	}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize, RequestCount)
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
	var statuses []Status
	for _, row := range r.rows() {
		statuses = append(statuses, row.Status)
	}
	assert.Equal(t, []Status{Measured, Failed, Failed, Measured, Measured, Measured}, statuses)
	assert.Contains(t, lab.events, "close 1024")
}

func TestRunCloseFails(t *testing.T) {
	lab := &fakeLab{closeErr: errFake}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
	assert.True(t, r.Complete())
	assert.Equal(t, []string{"engine 1: the engine did not close: the fake engine broke"}, r.Problems)
}

func TestRunCancelled(t *testing.T) {
	cause := errors.New("interrupted by a test")
	for name, atPass := range map[string]int{"between trials": 6, "in a trial": 8} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			lab := &fakeLab{}
			lab.fault = func(pass int, _ *vllmgo.Generation) error {
				if pass == atPass {
					cancel(cause)
				}
				return nil
			}
			s := testSettings(t, lab)
			s.Studies = tiny(BatchSize, RequestCount)
			assert.ErrorIs(t, Run(ctx, s), cause)
			assert.Equal(t, "close 1024", lab.events[len(lab.events)-1], "the engine is closed and no other opened")

			r := readResults(t, s)
			var statuses []Status
			for _, row := range r.rows() {
				statuses = append(statuses, row.Status)
			}
			assert.Equal(t, []Status{Measured, Measured, Missing, Missing, Missing, Missing}, statuses)
			assert.False(t, r.Complete())
		})
	}
}

func TestRunCancelledWhileLoading(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lab := &fakeLab{openErr: func(vllmgo.EngineArgs) error { cancel(); return ctx.Err() }}
	s := testSettings(t, lab)
	assert.ErrorIs(t, Run(ctx, s), context.Canceled)
	r := readResults(t, s)
	for _, row := range r.rows() {
		assert.Equal(t, Missing, row.Status)
	}
}

func TestRunNotesPreemption(t *testing.T) {
	lab := &fakeLab{info: func(info *vllmgo.Info) { info.KVCacheTokens = 300 }}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	require.NoError(t, Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Empty(t, rows[1].Notes)
	assert.Equal(t, []string{"possibly preempted: the KV cache holds 300 tokens, the point's peak demand is 512"}, rows[2].Notes)
	assert.Equal(t, Measured, rows[2].Status)
}

func TestRunRefusesLongSequences(t *testing.T) {
	lab := &fakeLab{info: func(info *vllmgo.Info) { info.MaxModelLen = 11 }}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	require.NoError(t, Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, []string{"a sequence of 8 input and 4 output tokens exceeds the engine's max_model_len of 11"}, rows[0].Notes)
	assert.Zero(t, lab.passes)
}

func TestRunRefusesIncompleteSettings(t *testing.T) {
	cases := map[string]func(*Settings){
		"Dir is empty":        func(s *Settings) { s.Dir = "" },
		"Open is nil":         func(s *Settings) { s.Open = nil },
		"Vocabulary is empty": func(s *Settings) { s.Vocabulary = Vocabulary{} },
		"Studies is empty":    func(s *Settings) { s.Studies = nil },
		"Trials is -1":        func(s *Settings) { s.Trials = -1 },
		"max_num_seqs 0":      func(s *Settings) { s.Studies[0].MaxNumSeqs = 0 },
	}
	for want, spoil := range cases {
		lab := &fakeLab{}
		s := testSettings(t, lab)
		spoil(&s)
		assert.ErrorContains(t, Run(t.Context(), s), want)
		assert.Empty(t, lab.events)
	}
}

func TestRunKeepsAnOldJournal(t *testing.T) {
	lab := &fakeLab{}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	require.NoError(t, Run(t.Context(), s))
	assert.ErrorContains(t, Run(t.Context(), s), "creating the journal")
}
