package bench_test

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

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

func readResults(t *testing.T, s bench.Settings) *report.Results {
	t.Helper()
	journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	return report.New(journal)
}

func TestRunSharesEngines(t *testing.T) {
	lab := &fake.Lab{}
	s := benchtest.Settings(t, lab)
	var progress bytes.Buffer
	s.Progress = &progress
	require.NoError(t, bench.Run(t.Context(), s))

	var engines []string
	for _, event := range lab.Events {
		if !strings.HasPrefix(event, "generate") {
			engines = append(engines, event)
		}
	}
	assert.Equal(t, []string{"open 2048", "close 2048", "open 4096", "close 4096"}, engines)
	assert.Equal(t, 16*4, lab.Passes)

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
	assert.Contains(t, progress.String(), "[100 %] done in ")
	assert.Contains(t, progress.String(), " left\n")
	assert.NotContains(t, progress.String(), "\r", "no terminal")
}

func TestRunNoKVPlanOnGPU(t *testing.T) {
	lab := &fake.Lab{}
	s := benchtest.Settings(t, lab)
	s.Device = "cuda"
	require.NoError(t, bench.Run(t.Context(), s))
	r := readResults(t, s)
	assert.Zero(t, r.Engines[0].Args.KVCacheMemoryBytes)
	assert.Empty(t, r.Engines[0].Notice)
}

func TestRunDetokenizes(t *testing.T) {
	for _, skip := range []bool{false, true} {
		lab := &fake.Lab{}
		s := benchtest.Settings(t, lab)
		s.Studies = benchtest.Tiny(workload.BatchSize)
		s.EngineArgs.SkipTokenizerInit = skip
		require.NoError(t, bench.Run(t.Context(), s))
		if skip {
			assert.Equal(t, new(false), lab.Params.Detokenize)
		} else {
			assert.Nil(t, lab.Params.Detokenize)
		}
	}
}

func TestRunTrials(t *testing.T) {
	lab := &fake.Lab{}
	// Of the four requests, two warm-up passes come first; the second trial is slower by 30 ms.
	fake.Nth(lab, 4, 4, func(g *vllmgo.Generation) error { g.Elapsed += 30e6; return nil })
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Stopping = stat.FixedTrials(3)
	require.NoError(t, bench.Run(t.Context(), s))

	r := readResults(t, s)
	row := r.Studies[0].Rows[2]
	require.Len(t, row.Trials, 3)
	assert.NotEqual(t, row.Trials[0].Ledger.PromptsSHA256, row.Trials[1].Ledger.PromptsSHA256)
	assert.Equal(t, row.Trials[0].Elapsed, row.Elapsed.Value, "the median")
	assert.Equal(t, row.Trials[0].Elapsed+30e6, row.Elapsed.High)
	assert.Equal(t, []int{1, 2, 3}, []int{row.Trials[0].Trial, row.Trials[1].Trial, row.Trials[2].Trial})
	assert.Empty(t, row.Notes)
	assert.Equal(t, stat.MostTrials, row.Stopped)
	assert.True(t, r.Complete())
}

// Each round has every point once, and the order differs from round to round but not from run to
// run.
func TestRunInterleaves(t *testing.T) {
	order := func() []string {
		lab := &fake.Lab{}
		s := benchtest.Settings(t, lab)
		s.Studies = benchtest.Tiny(workload.BatchSize)
		s.Stopping = stat.FixedTrials(20)
		require.NoError(t, bench.Run(t.Context(), s))
		journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
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
	lab := &fake.Lab{}
	r := rand.New(rand.NewPCG(0, 0))
	lab.Fault = func(_ int, g *vllmgo.Generation) error {
		if lab.Shape == 4 {
			g.Elapsed = fake.Times(r, 1, 100*time.Millisecond)[0]
		}
		return nil
	}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Stopping = stat.UntilPrecise(0.012, 0)
	require.NoError(t, bench.Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Less(t, len(rows[0].Trials), len(rows[2].Trials), "always the same time")
	assert.Equal(t, stat.TargetIfIndependent, rows[0].Stopped)
	assert.Contains(t, rows[0].Notes, "the target is reached if trials are independent: "+
		"too few on the engine show whether they are")
	for _, row := range rows {
		assert.Contains(t, string(row.Stopped), "target reached")
		assert.LessOrEqual(t, row.Elapsed.Precision(), 0.012)
	}
}

func TestRunBudget(t *testing.T) {
	s := benchtest.Settings(t, &fake.Lab{})
	s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
	s.Stopping = stat.UntilPrecise(0.02, time.Nanosecond)
	require.NoError(t, bench.Run(t.Context(), s))
	r := readResults(t, s)
	for _, row := range rowsOf(r) {
		assert.Len(t, row.Trials, 1, "each point once, whatever the budget")
		assert.Equal(t, stat.BudgetSpent, row.Stopped)
	}
	assert.True(t, r.Complete())
}

func TestRunWarmsUp(t *testing.T) {
	for _, c := range []struct {
		mode   journal.WarmUpMode
		passes int
		cold   string
	}{
		{"", 7, "75 % was start-up"},
		{journal.WarmUpNotebook, 0, "75 % was start-up"},
	} {
		lab := &fake.Lab{}
		fake.Nth(lab, 4, 1, func(g *vllmgo.Generation) error { g.Elapsed *= 4; return nil })
		s := benchtest.Settings(t, lab)
		s.Studies = benchtest.Tiny(workload.BatchSize)
		s.WarmUp, s.Cold, s.Stopping = c.mode, true, stat.FixedTrials(3)
		require.NoError(t, bench.Run(t.Context(), s))
		row := readResults(t, s).Studies[0].Rows[2]
		journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
		require.NoError(t, err)
		require.Len(t, journal.WarmUps, 3)
		assert.Equal(t, 3+c.passes, lab.Passes-9)
		assert.Equal(t, 4*row.Elapsed.Value, row.Cold.Elapsed)
		assert.Equal(t, c.cold, row.Cold.String())
		var b bytes.Buffer
		require.NoError(t, readResults(t, s).WriteReport(&b))
		assert.Contains(t, b.String(), "75 % was start-up")
		assert.Contains(t, b.String(), "under 5 % was start-up", "of the others")
	}
}

func TestRunGoesOnAfterFailures(t *testing.T) {
	lab := &fake.Lab{}
	fake.Nth(lab, 2, 3, func(g *vllmgo.Generation) error { g.Outputs[1].Outputs[0].TokenIDs = make([]int32, 3); return nil })
	fake.Nth(lab, 4, 4, func(g *vllmgo.Generation) error { g.Outputs[3].PromptTokenIDs[7]++; return nil })
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Stopping = stat.FixedTrials(3)
	require.NoError(t, bench.Run(t.Context(), s))
	r := readResults(t, s)
	rows := r.Studies[0].Rows
	assert.Equal(t, []report.Status{report.Measured, report.Failed, report.Measured}, []report.Status{rows[0].Status, rows[1].Status, rows[2].Status})
	assert.Equal(t, []string{"request 2 of 2: 3 tokens were generated, 4 were asked for"}, rows[1].Notes)
	assert.Equal(t, []string{"request 4 of 4: the engine saw other prompt tokens than were sent", "figures from the 1 trial before it failed"}, rows[2].Notes)
	assert.Equal(t, stat.TrialFailed, rows[2].Stopped)
	assert.False(t, r.Complete())
	assert.Equal(t, 1, len(r.Engines), "the engine is sound")
	assert.Equal(t, "close 1024", lab.Events[len(lab.Events)-1])
}

func TestRunEngineDoesNotOpen(t *testing.T) {
	lab := &fake.Lab{}
	lab.OpenErr = func(args vllmgo.EngineArgs) error {
		if args.MaxNumBatchedTokens == 1024 {
			return fake.Err
		}
		return nil
	}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
	require.NoError(t, bench.Run(t.Context(), s))
	r := readResults(t, s)
	for _, row := range r.Studies[0].Rows {
		assert.Equal(t, report.Failed, row.Status)
		assert.Equal(t, []string{"the engine did not open: the fake engine broke"}, row.Notes)
	}
	for _, row := range r.Studies[1].Rows {
		assert.Equal(t, report.Measured, row.Status)
		assert.Equal(t, 2, row.Engine)
	}
	assert.Equal(t, []string{"open 1024", "open 2048"}, []string{lab.Events[0], lab.Events[1]})
}

// After an error of the engine's, its other points go on in a fresh one.
func TestRunEngineDies(t *testing.T) {
	for name, calls := range map[string]int{"in the warm-up": 2, "in the second trial": 4} {
		t.Run(name, func(t *testing.T) {
			lab := &fake.Lab{}
			fake.Nth(lab, 2, calls, fake.Broken)
			s := benchtest.Settings(t, lab)
			s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
			s.Stopping = stat.FixedTrials(2)
			require.NoError(t, bench.Run(t.Context(), s))
			r := readResults(t, s)
			opened := slices.DeleteFunc(slices.Clone(lab.Events), func(e string) bool { return strings.HasPrefix(e, "generate") })
			assert.Equal(t, []string{"open 1024", "close 1024", "open 1024", "close 1024", "open 2048", "close 2048"}, opened)
			for i, row := range rowsOf(r) {
				if i == 1 {
					assert.Contains(t, row.Notes[0], fake.Err.Error())
					continue
				}
				assert.Equal(t, report.Measured, row.Status)
				require.Len(t, row.Trials, 2)
				assert.Equal(t, []int{1, 2}, []int{row.Trials[0].Trial, row.Trials[1].Trial}, "none repeated, none lost")
			}
		})
	}
}

func TestRunCloseFails(t *testing.T) {
	lab := &fake.Lab{CloseErr: fake.Err}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	require.NoError(t, bench.Run(t.Context(), s))
	r := readResults(t, s)
	assert.True(t, r.Complete())
	assert.Equal(t, []string{"engine 1: the engine did not close: the fake engine broke"}, r.Problems)
}

func TestRunCancelled(t *testing.T) {
	cause := errors.New("interrupted by a test")
	for name, atPass := range map[string]int{"between trials": 10, "in a trial": 11, "in the warm-up": 2} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			lab := &fake.Lab{}
			lab.Fault = func(pass int, _ *vllmgo.Generation) error {
				if pass == atPass {
					cancel(cause)
				}
				return nil
			}
			s := benchtest.Settings(t, lab)
			s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
			assert.ErrorIs(t, bench.Run(ctx, s), cause)
			assert.Equal(t, "close 1024", lab.Events[len(lab.Events)-1], "the engine is closed and no other opened")

			r := readResults(t, s)
			measured := 0
			for _, row := range rowsOf(r) {
				if row.Status == report.Measured {
					measured++
				} else {
					assert.Equal(t, report.Missing, row.Status)
				}
			}
			assert.Equal(t, max(0, atPass-9), measured, "after 9 passes of warm-up")
			assert.False(t, r.Complete())
		})
	}
}

func TestRunCancelledWhileLoading(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lab := &fake.Lab{OpenErr: func(vllmgo.EngineArgs) error { cancel(); return ctx.Err() }}
	s := benchtest.Settings(t, lab)
	assert.ErrorIs(t, bench.Run(ctx, s), context.Canceled)
	r := readResults(t, s)
	for _, row := range rowsOf(r) {
		assert.Equal(t, report.Missing, row.Status)
	}
}

func TestRunRefusesLongSequences(t *testing.T) {
	lab := &fake.Lab{Info: func(info *vllmgo.Info) { info.MaxModelLen = 11 }}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	require.NoError(t, bench.Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, []string{"a sequence of 12 tokens, input and output, exceeds the engine's max_model_len of 11"}, rows[0].Notes)
	assert.Zero(t, lab.Passes)
}

// A point whose sequences the model cannot hold fails without an engine, and before its prompts are
// made. The others are measured.
func TestRunRefusesLongSequencesBeforeLoading(t *testing.T) {
	lab := &fake.Lab{}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
	s.Studies[1].Points[0].InputLen, s.Studies[1].Points[0].Requests = 99_000_000, 1000 // 400 GB
	s.MaxModelLen = make(map[workload.PointID]int)
	for _, p := range s.Studies[0].Points {
		s.MaxModelLen[p.ID()] = 11
	}
	for _, p := range s.Studies[1].Points {
		s.MaxModelLen[p.ID()] = 12
	}
	s.Latency = true
	require.NoError(t, bench.Run(t.Context(), s))
	results := readResults(t, s)
	for _, row := range results.Studies[0].Rows {
		assert.Equal(t, []string{"a sequence of 12 tokens, input and output, exceeds the model's max_model_len of 11"}, row.Notes)
	}
	assert.Contains(t, results.Studies[1].Rows[0].Notes, "a sequence of 99000004 tokens, input and output, exceeds the model's max_model_len of 12")
	assert.Equal(t, report.Measured, results.Studies[1].Rows[1].Status)
	assert.NotContains(t, lab.Events, "open 1024", "the engine of the first study")
	assert.Contains(t, lab.Events, "open 2048")
}

func TestRunRefusesIncompleteSettings(t *testing.T) {
	cases := map[string]func(*bench.Settings){
		"Dir is empty":           func(s *bench.Settings) { s.Dir = "" },
		"Open is nil":            func(s *bench.Settings) { s.Open = nil },
		"Vocabulary is empty":    func(s *bench.Settings) { s.Requests = workload.Requests{} },
		"Studies is empty":       func(s *bench.Settings) { s.Studies = nil },
		"asks for 3 to 2 trials": func(s *bench.Settings) { s.Stopping = stat.Stopping{MinTrials: 3, MaxTrials: 2} },
		"Target is -1":           func(s *bench.Settings) { s.Stopping = stat.UntilPrecise(-1, 0) },
		"Budget is negative":     func(s *bench.Settings) { s.Stopping = stat.UntilPrecise(1, -1) },
		"Timeout is -1ns":        func(s *bench.Settings) { s.Timeout = -1 },
		`WarmUp is "cold"`:       func(s *bench.Settings) { s.WarmUp = "cold" },
		"has no points":          func(s *bench.Settings) { s.Studies[0].Points = nil },
		`has a point "batch size 1"; its points must`: func(s *bench.Settings) { s.Studies[0].Points[1].Value = 1 },
		`"../x" becomes part of file names`:           func(s *bench.Settings) { s.Studies[0].Name = "../x" },
		"two studies are called batch-size":           func(s *bench.Settings) { s.Studies = append(s.Studies, s.Studies[0]) },
		"batch size 1 has 0 requests":                 func(s *bench.Settings) { s.Studies[0].Points[0].Requests = 0 },
		"batch size 1 has 1 requests and the lengths": func(s *bench.Settings) { s.Studies[0].Points[0].Lengths = make([]workload.RequestLength, 2) },
		"more than 16777216 completions":              func(s *bench.Settings) { s.Studies[0].Points[0].Requests = 1 << 25 },
		"max_num_seqs 0":                              func(s *bench.Settings) { s.Studies[0].MaxNumSeqs = 0 },
	}
	for want, spoil := range cases {
		lab := &fake.Lab{}
		s := benchtest.Settings(t, lab)
		spoil(&s)
		assert.ErrorContains(t, bench.Run(t.Context(), s), want)
		assert.Empty(t, lab.Events)
	}
}

func TestRunKeepsAnOldJournal(t *testing.T) {
	lab := &fake.Lab{}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	require.NoError(t, bench.Run(t.Context(), s))
	assert.ErrorContains(t, bench.Run(t.Context(), s), "creating the journal")
}

// axisOf parses an axis.
func axisOf(t *testing.T, text string) workload.Axis {
	t.Helper()
	a, err := workload.ParseAxis(text)
	require.NoError(t, err)
	return a
}

// rowsOf returns the rows of all studies.
func rowsOf(r *report.Results) []report.Row {
	var rows []report.Row
	for _, s := range r.Studies {
		rows = append(rows, s.Rows...)
	}
	return rows
}
