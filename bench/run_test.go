package bench

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// testSettings are a run of the preset quick on a fake engine, in a new directory.
func testSettings(t *testing.T, lab *fakeLab) Settings {
	t.Helper()
	studies, err := Preset("quick")
	require.NoError(t, err)
	stub(func() Usage { return Usage{Cores: 1} })
	return Settings{
		Dir:         filepath.Join(t.TempDir(), "results"),
		Open:        lab.open,
		EngineArgs:  vllmgo.EngineArgs{Model: "/tmp/model"},
		ModelConfig: opt125m(),
		Device:      "cpu",
		Requests:    Requests{Vocabulary: testVocabulary(t, 50272, 1, 2)},
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
	assert.Equal(t, 16*4, lab.passes)

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

	assert.Contains(t, progress.String(), "engine 1: loading facebook/opt-125m")
	assert.Contains(t, progress.String(), "[1/16] batch size ")
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

// nth calls f in the n-th call of Generate with so many prompts.
func nth(lab *fakeLab, prompts, n int, f func(*vllmgo.Generation) error) {
	before := lab.fault
	lab.fault = func(pass int, g *vllmgo.Generation) error {
		if lab.shape == prompts && lab.ofShape[prompts] == n {
			if err := f(g); err != nil {
				return err
			}
		}
		if before != nil {
			return before(pass, g)
		}
		return nil
	}
}

func broken(*vllmgo.Generation) error { return errFake }

func TestRunTrials(t *testing.T) {
	lab := &fakeLab{}
	// Of the four requests, two warm-up passes come first; the second trial is slower by 30 ms.
	nth(lab, 4, 4, func(g *vllmgo.Generation) error { g.Elapsed += 30e6; return nil })
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	s.Stopping = FixedTrials(3)
	require.NoError(t, Run(t.Context(), s))

	r := readResults(t, s)
	row := r.Studies[0].Rows[2]
	require.Len(t, row.Trials, 3)
	assert.NotEqual(t, row.Trials[0].Ledger.PromptsSHA256, row.Trials[1].Ledger.PromptsSHA256)
	assert.Equal(t, row.Trials[0].Elapsed, row.Elapsed.Value, "the median")
	assert.Equal(t, row.Trials[0].Elapsed+30e6, row.Elapsed.High)
	assert.Equal(t, []int{1, 2, 3}, []int{row.Trials[0].Trial, row.Trials[1].Trial, row.Trials[2].Trial})
	assert.Empty(t, row.Notes)
	assert.Equal(t, "most trials reached", row.Stopped)
	assert.True(t, r.Complete())
}

// Each round has every point once, and the order differs from round to round but not from run to run.
func TestRunInterleaves(t *testing.T) {
	order := func() []string {
		lab := &fakeLab{}
		s := testSettings(t, lab)
		s.Studies = tiny(BatchSize)
		s.Stopping = FixedTrials(20)
		require.NoError(t, Run(t.Context(), s))
		journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
		require.NoError(t, err)
		var order []string
		for i, trial := range journal.Trials {
			assert.Equal(t, i/3+1, trial.Trial)
			order = append(order, trial.PointID.String())
		}
		return order
	}
	first := order()
	assert.Equal(t, first, order())
	orders := map[string]bool{}
	for round := range 20 {
		orders[strings.Join(first[3*round:3*round+3], ", ")] = true
	}
	assert.Len(t, orders, 6, "all orders of three points occur")
}

func TestRunUntilPrecise(t *testing.T) {
	lab := &fakeLab{}
	r := rand.New(rand.NewPCG(0, 0))
	lab.fault = func(_ int, g *vllmgo.Generation) error {
		if lab.shape == 4 {
			g.Elapsed = simulate(r, 1, 100*time.Millisecond)[0]
		}
		return nil
	}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	s.Stopping = UntilPrecise(0.008, 0)
	require.NoError(t, Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Len(t, rows[0].Trials, 6, "always the same time")
	assert.Greater(t, len(rows[2].Trials), 6)
	for _, row := range rows {
		assert.Equal(t, "target reached", row.Stopped)
		assert.LessOrEqual(t, row.Elapsed.Precision(), 0.008)
	}
}

func TestRunBudget(t *testing.T) {
	s := testSettings(t, &fakeLab{})
	s.Studies = tiny(BatchSize, RequestCount)
	s.Stopping = UntilPrecise(0.02, time.Nanosecond)
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
	for _, row := range r.rows() {
		assert.Len(t, row.Trials, 1, "each point once, whatever the budget")
		assert.Equal(t, "budget spent", row.Stopped)
	}
	assert.True(t, r.Complete())
}

// Engines share the budget by their work: so many steps of 40 units and so many tokens.
func TestBudgetShares(t *testing.T) {
	groups := []EngineGroup{
		{Args: vllmgo.EngineArgs{MaxNumSeqs: 8}, Points: []Point{testPoint(1, 100, 10)}},
		{Args: vllmgo.EngineArgs{MaxNumSeqs: 8}, Points: []Point{testPoint(2, 200, 20), testPoint(4, 310, 40)}},
	}
	groups[1].Points[1] = testPoint(1, 350, 10) // 510 and 1240 + 760 units
	p := newProgress(nil, groups, UntilPrecise(0.02, 100*time.Hour), &Journal{})
	assert.InDelta(t, 100*510.0/(510+1240+760), time.Until(p.share(groups, 0)).Hours(), 0.01)
	assert.InDelta(t, 60*510.0/(510+1240+760), time.Until(p.share(groups, 40*time.Hour)).Hours(), 0.01, "the other engine needs as long")
	assert.InDelta(t, 100, time.Until(p.share(groups[1:], 40*time.Hour)).Hours(), 0.01)
	assert.Zero(t, newProgress(nil, groups, FixedTrials(1), &Journal{}).share(groups, 0))
}

// Stopping at the first narrow interval costs coverage: docs/benchmarking.md has the figures that this logs.
func TestStoppingCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	stopping := UntilPrecise(DefaultTarget, 0)
	const runs, median = 2000, 100 * time.Millisecond
	for _, noise := range []float64{0.5, 1, 2, 4} {
		covered, trials := 0, 0
		for range runs {
			var times []time.Duration
			for !stopping.done(times) {
				t := simulate(r, 1, median)[0]
				times = append(times, median+time.Duration(noise*float64(t-median)))
			}
			trials += len(times)
			if m := NewMedian(times); m.Low <= median && median <= m.High {
				covered++
			}
		}
		t.Logf("noise %v %%: the interval covers the median in %.1f %% of runs, of %.1f trials on average",
			noise, 100*float64(covered)/runs, float64(trials)/runs)
		assert.Greater(t, float64(covered)/runs, 0.90)
	}
}

func TestRunWarmsUp(t *testing.T) {
	for _, c := range []struct {
		mode   WarmUpMode
		passes int
		cold   string
	}{
		{"", 7, "75 % was start-up"},
		{WarmUpNotebook, 0, "75 % was start-up"},
	} {
		lab := &fakeLab{}
		nth(lab, 4, 1, func(g *vllmgo.Generation) error { g.Elapsed *= 4; return nil })
		s := testSettings(t, lab)
		s.Studies = tiny(BatchSize)
		s.WarmUp, s.Cold, s.Stopping = c.mode, true, FixedTrials(3)
		require.NoError(t, Run(t.Context(), s))
		row := readResults(t, s).Studies[0].Rows[2]
		journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
		require.NoError(t, err)
		require.Len(t, journal.WarmUps, 3)
		assert.Equal(t, 3+c.passes, lab.passes-9)
		assert.Equal(t, 4*row.Elapsed.Value, row.Cold.Elapsed)
		assert.Equal(t, c.cold, row.Cold.verdict())
		var b bytes.Buffer
		require.NoError(t, readResults(t, s).WriteReport(&b))
		assert.Contains(t, b.String(), "75 % was start-up")
		assert.Contains(t, b.String(), "under 5 % was start-up", "of the others")
	}
}

func TestRunGoesOnAfterFailures(t *testing.T) {
	lab := &fakeLab{}
	nth(lab, 2, 3, func(g *vllmgo.Generation) error { g.Outputs[1].Outputs[0].TokenIDs = make([]int32, 3); return nil })
	nth(lab, 4, 4, func(g *vllmgo.Generation) error { g.Outputs[3].PromptTokenIDs[7]++; return nil })
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	s.Stopping = FixedTrials(3)
	require.NoError(t, Run(t.Context(), s))
	r := readResults(t, s)
	rows := r.Studies[0].Rows
	assert.Equal(t, []Status{Measured, Failed, Measured}, []Status{rows[0].Status, rows[1].Status, rows[2].Status})
	assert.Equal(t, []string{"request 2 of 2: 3 tokens were generated, 4 were asked for"}, rows[1].Notes)
	assert.Equal(t, []string{"request 4 of 4: the engine saw other prompt tokens than were sent", "figures from the 1 trial before it failed"}, rows[2].Notes)
	assert.Equal(t, "failed", rows[2].Stopped)
	assert.False(t, r.Complete())
	assert.Equal(t, 1, len(r.Engines), "the engine is sound")
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

// After an error of the engine's, its other points go on in a fresh one.
func TestRunEngineDies(t *testing.T) {
	for name, calls := range map[string]int{"in the warm-up": 2, "in the second trial": 4} {
		t.Run(name, func(t *testing.T) {
			lab := &fakeLab{}
			nth(lab, 2, calls, broken)
			s := testSettings(t, lab)
			s.Studies = tiny(BatchSize, RequestCount)
			s.Stopping = FixedTrials(2)
			require.NoError(t, Run(t.Context(), s))
			r := readResults(t, s)
			opened := slices.DeleteFunc(slices.Clone(lab.events), func(e string) bool { return strings.HasPrefix(e, "generate") })
			assert.Equal(t, []string{"open 1024", "close 1024", "open 1024", "close 1024", "open 2048", "close 2048"}, opened)
			for i, row := range r.rows() {
				if i == 1 {
					assert.Contains(t, row.Notes[0], errFake.Error())
					continue
				}
				assert.Equal(t, Measured, row.Status)
				require.Len(t, row.Trials, 2)
				assert.Equal(t, []int{1, 2}, []int{row.Trials[0].Trial, row.Trials[1].Trial}, "none repeated, none lost")
			}
		})
	}
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
	for name, atPass := range map[string]int{"between trials": 10, "in a trial": 11, "in the warm-up": 2} {
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
			measured := 0
			for _, row := range r.rows() {
				if row.Status == Measured {
					measured++
				} else {
					assert.Equal(t, Missing, row.Status)
				}
			}
			assert.Equal(t, max(0, atPass-9), measured, "after 9 passes of warm-up")
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

func TestRunRefusesLongSequences(t *testing.T) {
	lab := &fakeLab{info: func(info *vllmgo.Info) { info.MaxModelLen = 11 }}
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	require.NoError(t, Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, []string{"a sequence of 12 tokens, input and output, exceeds the engine's max_model_len of 11"}, rows[0].Notes)
	assert.Zero(t, lab.passes)
}

func TestRunRefusesIncompleteSettings(t *testing.T) {
	cases := map[string]func(*Settings){
		"Dir is empty":           func(s *Settings) { s.Dir = "" },
		"Open is nil":            func(s *Settings) { s.Open = nil },
		"Vocabulary is empty":    func(s *Settings) { s.Requests = Requests{} },
		"Studies is empty":       func(s *Settings) { s.Studies = nil },
		"asks for 3 to 2 trials": func(s *Settings) { s.Stopping = Stopping{MinTrials: 3, MaxTrials: 2} },
		"Target is -1":           func(s *Settings) { s.Stopping = UntilPrecise(-1, 0) },
		"Budget is negative":     func(s *Settings) { s.Stopping = UntilPrecise(1, -1) },
		"Timeout is -1ns":        func(s *Settings) { s.Timeout = -1 },
		`WarmUp is "cold"`:       func(s *Settings) { s.WarmUp = "cold" },
		"has no points":          func(s *Settings) { s.Studies[0].Points = nil },
		`has a point "batch size 1"; its points must`: func(s *Settings) { s.Studies[0].Points[1].Value = 1 },
		"max_num_seqs 0": func(s *Settings) { s.Studies[0].MaxNumSeqs = 0 },
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
