package bench

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

func axis(t *testing.T, text string) Axis {
	t.Helper()
	a, err := ParseAxis(text)
	require.NoError(t, err)
	return a
}

func TestParseAxis(t *testing.T) {
	assert.Equal(t, Axis{"a", []any{8.0, 0.5, true, nil, "x", "y z"}}, axis(t, `a=8,0.5,true,null,x,"y z"`))
	for _, text := range []string{"", "a", "a=", "=1"} {
		_, err := ParseAxis(text)
		assert.ErrorContains(t, err, "no axis", text)
	}
}

func TestNewStudy(t *testing.T) {
	base := Point{Requests: 4, InputLen: 8, OutputLen: 4}
	one, err := NewStudy("limits", base, axis(t, "max_num_seqs=2,8"))
	require.NoError(t, err)
	assert.Equal(t, "max_num_seqs", one.Parameter)
	assert.Equal(t, []int{2, 8}, []int{one.Points[0].Value, one.Points[1].Value})
	assert.Equal(t, "max_num_seqs=8", one.Points[1].String())
	assert.Equal(t, "8", one.Points[1].name())

	grid, err := NewStudy("grid", base, axis(t, "dtype=float16,bfloat16"), axis(t, "requests=1,2"), axis(t, "sampling.temperature=0,0.5"))
	require.NoError(t, err)
	require.Len(t, grid.Points, 8)
	last := grid.Points[7]
	assert.Equal(t, Point{Study: "grid", Value: 8, Label: "dtype=bfloat16, requests=2, sampling.temperature=0.5", Requests: 2, InputLen: 8, OutputLen: 4,
		Set: Set{Engine: map[string]any{"dtype": "bfloat16"}, Sampling: map[string]any{"temperature": 0.5}}}, last)
	assert.Equal(t, last.Label, last.String())
	assert.Equal(t, 1, grid.Points[0].Value)

	alone, err := NewStudy("alone", base)
	require.NoError(t, err)
	require.Len(t, alone.Points, 1)
	cold, err := grid.With("sampling.temperature", 2)
	require.NoError(t, err)
	for i, p := range cold.Points {
		assert.Equal(t, 2, p.Set.Sampling["temperature"])
		assert.NotEqual(t, 2, grid.Points[i].Set.Sampling["temperature"], "left as it was")
	}

	for text, want := range map[string]string{
		"max_num_seqs=many":        "engine setting max_num_seqs=many: json: cannot unmarshal",
		"max_num_seqs=0":           "max_num_seqs is 0; it must be at least 1",
		"requests=1.5":             "requests=1.5 is no whole number",
		"sampling.temprature=1":    "sampling setting temprature=1: there is no such field",
		"sample.temperature=1":     "before the point stands engine, sampling or env",
		"sampling.temperature=hot": "sampling setting temperature=hot",
		"model=a,b":                "model is the same for a whole run",
		"requests=2,2":             "must name it and have values of their own",
	} {
		_, err := NewStudy("bad", base, axis(t, text))
		assert.ErrorContains(t, err, want, text)
	}
	base.Lengths = []RequestLength{{1, 1}}
	_, err = NewStudy("bad", base, axis(t, "requests=1,2"))
	assert.ErrorContains(t, err, "cannot vary while each request has a length of its own")
}

func TestSetEngine(t *testing.T) {
	base := vllmgo.EngineArgs{Model: "m", Extra: map[string]any{"swap_space": 4}}
	args, err := setEngine(base, map[string]any{"dtype": "float16", "enforce_eager": true, "max_num_seqs": 8.0, "a_later_setting": 2.0, "engine_mode": "in-process"})
	require.NoError(t, err)
	assert.Equal(t, vllmgo.EngineArgs{Model: "m", Dtype: "float16", EnforceEager: true, MaxNumSeqs: 8, EngineMode: vllmgo.InProcess,
		Extra: map[string]any{"swap_space": 4, "a_later_setting": 2.0}}, args)
	assert.Len(t, base.Extra, 1, "left as it was")
}

// Points with different engine settings have engines of their own, sampling settings reach the engine, and all
// settings are in the journal.
func TestRunGrid(t *testing.T) {
	lab := &fakeLab{}
	var opened []vllmgo.EngineArgs
	var sampled []vllmgo.SamplingParams
	s := testSettings(t, lab)
	s.Open = func(ctx context.Context, args vllmgo.EngineArgs) (Engine, error) {
		opened = append(opened, args)
		return lab.open(ctx, args)
	}
	lab.fault = func(int, *vllmgo.Generation) error { sampled = append(sampled, lab.params); return nil }
	study, err := NewStudy("grid", Point{Requests: 2, InputLen: 8, OutputLen: 4}, axis(t, "max_num_seqs=2,4"), axis(t, "sampling.temperature=0,1"))
	require.NoError(t, err)
	s.Studies = []Study{study}
	require.NoError(t, Run(t.Context(), s))
	require.Len(t, opened, 2)
	assert.Equal(t, []int{2, 4}, []int{opened[0].MaxNumSeqs, opened[1].MaxNumSeqs})
	temperatures := map[float64]int{}
	for _, params := range sampled {
		temperatures[*params.Temperature]++
		assert.Equal(t, 4, params.MaxTokens)
	}
	assert.Equal(t, map[float64]int{0: 8, 1: 8}, temperatures)
	journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
	require.NoError(t, err)
	assert.Equal(t, s.Studies, journal.Header.Studies)
	require.NoError(t, WriteFiles(s.Dir, NewResults(journal)))
	report, err := os.ReadFile(filepath.Join(s.Dir, "report.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(report), "│ max_num_seqs=4, sampling.temperature=1 │")
	assert.FileExists(t, filepath.Join(s.Dir, "grid.png"))
}

// A point that needs an environment variable waits for a process that has it, or fails where there are no others.
func TestRunEnv(t *testing.T) {
	study, err := NewStudy("env", Point{Requests: 2, InputLen: 8, OutputLen: 4}, axis(t, "env.VLLMGO_TEST_AXIS=7,8"))
	require.NoError(t, err)
	lab := &fakeLab{}
	s := testSettings(t, lab)
	s.Studies = []Study{study}
	t.Setenv("VLLMGO_TEST_AXIS", "7")
	require.NoError(t, Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, Measured, rows[0].Status)
	assert.Equal(t, Failed, rows[1].Status)
	assert.Contains(t, rows[1].Notes[0], "it needs VLLMGO_TEST_AXIS=8 in the environment before Python starts")

	s.Dir, s.OneEngine, s.Resume = t.TempDir(), true, true
	for _, c := range []struct {
		now  string
		next map[string]string
	}{
		{"9", map[string]string{"VLLMGO_TEST_AXIS": "7"}},
		{"7", map[string]string{"VLLMGO_TEST_AXIS": "8"}},
		{"8", nil},
	} {
		t.Setenv("VLLMGO_TEST_AXIS", c.now)
		require.NoError(t, Run(t.Context(), s))
		journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
		require.NoError(t, err)
		assert.Equal(t, c.next, NextEnv(journal))
	}
	assert.True(t, readResults(t, s).Complete())
}

func TestCompletions(t *testing.T) {
	lab := &fakeLab{completions: 3}
	s := testSettings(t, lab)
	study, err := NewStudy("n", Point{Requests: 2, InputLen: 8, OutputLen: 4}, axis(t, "sampling.n=3"))
	require.NoError(t, err)
	s.Studies = []Study{study}
	require.NoError(t, Run(t.Context(), s))
	row := readResults(t, s).Studies[0].Rows[0]
	require.Len(t, row.Trials, 1, "%v", row.Notes)
	assert.Equal(t, 24, row.OutputTokens())
	assert.Equal(t, 24, row.Trials[0].Ledger.OutputTokens)
	assert.Equal(t, 6*128, row.PeakKVTokens)
}

func TestPrefixCacheOnPurpose(t *testing.T) {
	lab := &fakeLab{fault: func(_ int, g *vllmgo.Generation) error { g.Outputs[0].NumCachedTokens = 4; return nil }}
	s := testSettings(t, lab)
	study, err := NewStudy("cache", Point{Requests: 2, InputLen: 8, OutputLen: 4, SharedPrefix: 4}, axis(t, "enable_prefix_caching=true,false"))
	require.NoError(t, err)
	s.Studies = []Study{study}
	require.NoError(t, Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, Measured, rows[0].Status)
	assert.Equal(t, 4, rows[0].Trials[0].Ledger.CachedTokens)
	assert.Equal(t, Failed, rows[1].Status)
	assert.Equal(t, CheckCache, rows[1].Checks[0].Name)
}
