package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

func TestReport(t *testing.T) {
	studies := preset(t, "quick")
	j := journalOf(studies, []float64{100, 190, 0, 520, 700, -1}, []float64{500, 500, 500, 500, 500}, []float64{400, 780, 860, 810, 850})
	j.Header.RandomWeights = true
	j.WarmUps = []journal.WarmUp{{PointID: j.Trials[0].PointID, Engine: 1, Passes: []time.Duration{2, 1}}}
	j.Failures = append(j.Failures, journal.Failure{Engine: 1, Reason: "the engine did not close: stuck"})
	var b strings.Builder
	require.NoError(t, New(j).WriteReport(&b))
	report := b.String()
	for _, want := range []string{
		"Model: a/model, random weights\n",
		"dtype float16, cuda (NVIDIA H100), TP 2, engine own-process, preset quick",
		"Preset quick scales this sweep: 4 requests instead of 64.",
		"│ batch size 1  │        1 │          128 │            16 │    0.160 [1] │          – │      1 │             100 │         900 │     ok │",
		"│ batch size 4  │        4 │          512 │            64 │   failed [2] │          – │      0 │               – │           – │      – │",
		"│ batch size 32 │       32 │         4096 │           512 │ not measured │          – │      0 │               – │           – │      – │",
		"[1] times were not stable after 2 warm-up passes\n[2] it broke\n",
		"Without figures: batch size 4 (failed) and batch size 32 (not measured).",
		"Problem: engine 1: the engine did not close: stuck.",
		"- Maximum throughput (128 input and 16 output tokens): batch size 16: 700 generated tok/s, the most of 4 rows, not decided: 1 trial, needs 6. The batch",
	} {
		assert.Contains(t, report, want)
	}
	for _, title := range []string{"Batch size, 128 input and 16 output tokens a request: a/model, random weights", "Sequence length, 4 requests: a/model, random weights", "Request count, 16 input", "Results summary: a/model, random weights"} {
		assert.Contains(t, report, title)
	}
}

func TestReportWithoutEngine(t *testing.T) {
	lab := &fake.Lab{OpenErr: func(vllmgo.EngineArgs) error { return fake.Err }}
	s := benchtest.Settings(t, lab)
	require.NoError(t, bench.Run(t.Context(), s))
	r := resultsOf(t, s)
	require.NoError(t, r.WriteFiles(s.Dir))
	report, err := os.ReadFile(filepath.Join(s.Dir, "report.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(report), "dtype auto, cpu, TP 1, engine auto, preset quick")
	assert.Contains(t, string(report), "[1] the engine did not open: the fake engine broke")
	assert.NoFileExists(t, filepath.Join(s.Dir, "batch-size.png"))
	assert.FileExists(t, filepath.Join(s.Dir, "batch-size.csv"))
	assert.ErrorContains(t, r.WritePlot(&bytes.Buffer{}, r.Studies[0]), "no measured row")
}
