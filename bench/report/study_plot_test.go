package report

import (
	"bytes"
	"image/png"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

func TestPlot(t *testing.T) {
	studies := preset(t, "full")
	r := New(journalOf(studies, []float64{100, -1, -1, -1, -1, -1}, []float64{0, 5, 0, 0, 0}, []float64{1, 2, 3, 4, 5}))
	for _, s := range r.Studies {
		var b bytes.Buffer
		require.NoError(t, r.WritePlot(&b, s))
		image, err := png.Decode(&b)
		require.NoError(t, err)
		assert.Greater(t, image.Bounds().Dx(), 1000)
	}
	single := r.Studies[0]
	single.Rows = single.Rows[:1]
	require.NoError(t, r.WritePlot(&bytes.Buffer{}, single), "a sweep of one point")
}

// All tokens are a curve of their own only where they are not a multiple of the generated ones.
func TestPlotsHaveNoMultiples(t *testing.T) {
	curves := func(study workload.Study, rates ...float64) []string {
		var names []string
		for _, c := range rateCurves(lines(New(journalOf([]workload.Study{study}, rates)).Studies[0].Rows)) {
			names = append(names, c.name)
		}
		return names
	}
	generated := []string{"generated tok/s"}
	for i, study := range preset(t, "full") {
		assert.Equal(t, generated, curves(study, []float64{1, 2, 3, 4, 5, 6}[:len(study.Points)]...), i)
	}
	inputs := studyOf(t, "inputs", workload.Axis{Name: "input_len", Values: []any{8, 16}})
	assert.Equal(t, append(generated, "total tok/s (input and output)"), curves(inputs, 1, 2))
	grid := studyOf(t, "grid", workload.Axis{Name: "max_num_seqs", Values: []any{8, 16}}, workload.Axis{Name: "dtype", Values: []any{"a", "b"}})
	assert.Equal(t, []string{"generated tok/s, dtype=a", "generated tok/s, dtype=b"}, curves(grid, 1, 2, 3, 4))
	assert.Equal(t, []string{"generated tok/s, dtype=a"}, curves(grid, 1, 0, 3, -1), "a line without figures has no curve")
}

// A line of a grid has the first axis's values, and their numbers where these are no integers.
func TestLines(t *testing.T) {
	values := func(axis workload.Axis) (all [][]int) {
		study := studyOf(t, "grid", axis, workload.Axis{Name: "dtype", Values: []any{"a", "b"}})
		for _, l := range lines(New(journalOf([]workload.Study{study}, make([]float64, 6))).Studies[0].Rows) {
			var of []int
			for _, row := range l.rows {
				of = append(of, row.Value)
			}
			all = append(all, of)
		}
		return all
	}
	assert.Equal(t, [][]int{{8, 16, 4}, {8, 16, 4}}, values(workload.Axis{Name: "max_num_seqs", Values: []any{8, 16, 4}}))
	assert.Equal(t, [][]int{{1, 2, 3}, {1, 2, 3}}, values(workload.Axis{Name: "quantization", Values: []any{"x", "y", "z"}}))
}

// The title names the machine, vLLM and the date.
func TestPlotTitle(t *testing.T) {
	j := journalOf(preset(t, "full"), make([]float64, 6), make([]float64, 5), make([]float64, 5))
	j.Header.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j.Engines[0].Info.VLLMVersion = "0.32.0"
	assert.Equal(t, "Batch size: a/model\nGPU, NVIDIA H100, TP 2, vLLM 0.32.0, 2026-01-02\ndtype float16, engine own-process, preset quick",
		New(j).plotTitle("Batch size"))
	j.Engines, j.Header.Machine = nil, journal.Machine{CPU: "AMD EPYC", Cores: 2}
	assert.Contains(t, New(j).plotTitle("Batch size"), "\nCPU, AMD EPYC, 2 cores, 2026-01-02\n")
}
