package bench_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/internal/engines"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// Points with different engine settings have engines of their own, sampling settings reach the
// engine, and all settings are in the journal.
func TestRunGrid(t *testing.T) {
	lab := &fake.Lab{}
	var opened []vllmgo.EngineArgs
	var sampled []vllmgo.SamplingParams
	s := benchtest.Settings(t, lab)
	s.Open = func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) {
		opened = append(opened, args)
		return lab.Open(ctx, args)
	}
	lab.Fault = func(int, *vllmgo.Generation) error { sampled = append(sampled, lab.Params); return nil }
	study, err := workload.NewStudy("grid", workload.Point{Requests: 2, InputLen: 8, OutputLen: 4}, axisOf(t, "max_num_seqs=2,4"), axisOf(t, "sampling.temperature=0,1"))
	require.NoError(t, err)
	s.Studies = []workload.Study{study}
	require.NoError(t, bench.Run(t.Context(), s))
	require.Len(t, opened, 2)
	assert.Equal(t, []int{2, 4}, []int{opened[0].MaxNumSeqs, opened[1].MaxNumSeqs})
	temperatures := map[float64]int{}
	for _, params := range sampled {
		temperatures[*params.Temperature]++
		assert.Equal(t, 4, params.MaxTokens)
	}
	assert.Equal(t, map[float64]int{0: 8, 1: 8}, temperatures)
	journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	assert.Equal(t, s.Studies, journal.Header.Studies)
	require.NoError(t, report.New(journal).WriteFiles(s.Dir))
	report, err := os.ReadFile(filepath.Join(s.Dir, "report.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(report), "│ max_num_seqs=4, sampling.temperature=1 │")
	assert.FileExists(t, filepath.Join(s.Dir, "grid.png"))
}

// A point that needs an environment variable waits for a process that has it, or fails where there
// are no others.
func TestRunEnv(t *testing.T) {
	study, err := workload.NewStudy("env", workload.Point{Requests: 2, InputLen: 8, OutputLen: 4}, axisOf(t, "env.VLLMGO_TEST_AXIS=7,8"))
	require.NoError(t, err)
	lab := &fake.Lab{}
	s := benchtest.Settings(t, lab)
	s.Studies = []workload.Study{study}
	t.Setenv("VLLMGO_TEST_AXIS", "7")
	require.NoError(t, bench.Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, report.Measured, rows[0].Status)
	assert.Equal(t, report.Failed, rows[1].Status)
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
		require.NoError(t, bench.Run(t.Context(), s))
		journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
		require.NoError(t, err)
		assert.Equal(t, c.next, engines.NextEnv(journal))
	}
	assert.True(t, readResults(t, s).Complete())
}

func TestCompletions(t *testing.T) {
	lab := &fake.Lab{Completions: 3}
	s := benchtest.Settings(t, lab)
	study, err := workload.NewStudy("n", workload.Point{Requests: 2, InputLen: 8, OutputLen: 4}, axisOf(t, "sampling.n=3"))
	require.NoError(t, err)
	s.Studies = []workload.Study{study}
	require.NoError(t, bench.Run(t.Context(), s))
	row := readResults(t, s).Studies[0].Rows[0]
	require.Len(t, row.Trials, 1, "%v", row.Notes)
	assert.Equal(t, 24, row.OutputTokens())
	assert.Equal(t, 24, row.Trials[0].Ledger.OutputTokens)
	assert.Equal(t, 6*128, row.PeakKVTokens)
}

func TestPrefixCacheOnPurpose(t *testing.T) {
	lab := &fake.Lab{Fault: func(_ int, g *vllmgo.Generation) error { g.Outputs[0].NumCachedTokens = 4; return nil }}
	s := benchtest.Settings(t, lab)
	study, err := workload.NewStudy("cache", workload.Point{Requests: 2, InputLen: 8, OutputLen: 4, SharedPrefix: 4}, axisOf(t, "enable_prefix_caching=true,false"))
	require.NoError(t, err)
	s.Studies = []workload.Study{study}
	require.NoError(t, bench.Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, report.Measured, rows[0].Status)
	assert.Equal(t, 4, rows[0].Trials[0].Ledger.CachedTokens)
	assert.Equal(t, report.Failed, rows[1].Status)
	assert.Equal(t, journal.CheckCache, rows[1].Checks[0].Name)
}
