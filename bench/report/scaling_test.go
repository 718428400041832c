package report

import (
	"bytes"
	"encoding/csv"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// scalingRun measures points with a fake whose times are faster by a factor for each
// tensor_parallel_size.
func scalingRun(t *testing.T, size int, factor map[int]float64, change func(*bench.Settings)) ScalingRun {
	t.Helper()
	var args vllmgo.EngineArgs
	lab := &fake.Lab{
		OpenErr: func(a vllmgo.EngineArgs) error { args = a; return nil },
		Info:    func(i *vllmgo.Info) { i.TensorParallelSize = max(1, args.TensorParallelSize) },
	}
	lab.Fault = func(_ int, g *vllmgo.Generation) error {
		g.Elapsed = time.Duration(float64(g.Elapsed) / factor[max(1, args.TensorParallelSize)])
		return nil
	}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Stopping = stat.FixedTrials(6)
	s.EngineArgs.TensorParallelSize = size
	if change != nil {
		change(&s)
	}
	require.NoError(t, bench.Run(t.Context(), s))
	return ScalingRun{s.Dir, resultsOf(t, s)}
}

var factors = map[int]float64{1: 1, 2: 1.5, 4: 2}

func TestScaling(t *testing.T) {
	one, two := scalingRun(t, 0, factors, nil), scalingRun(t, 2, factors, nil)
	s, err := NewScaling(two, one)
	require.NoError(t, err)
	assert.Empty(t, s.Notes)
	require.Len(t, s.Studies, 1)
	for _, p := range s.Studies[0].Points {
		require.Len(t, p.Rows, 2)
		assert.Equal(t, 1, p.Rows[0].TensorParallelSize)
		assert.Equal(t, []float64{1, 1, 1, 1}, []float64{p.Rows[0].Speedup, p.Rows[0].SpeedupLow, p.Rows[0].SpeedupHigh, p.Rows[0].Efficiency})
		assert.Equal(t, 2, p.Rows[1].TensorParallelSize)
		assert.InDelta(t, 1.5, p.Rows[1].Speedup, 1e-6)
		assert.InDelta(t, 1.5, p.Rows[1].SpeedupLow, 1e-6, "the fake has no noise")
		assert.InDelta(t, 0.75, p.Rows[1].Efficiency, 1e-6)
		assert.Equal(t, 2, p.Rows[1].Engine.Args.TensorParallelSize)
	}

	var report strings.Builder
	require.NoError(t, s.WriteReport(&report))
	assert.Contains(t, report.String(), "TP 1 and 2, engine in-process")
	assert.Regexp(t, `│ batch size 1 +│ +2 │ .* │ +1\.50 │ +75 % │`, report.String())
	assert.NotContains(t, report.String(), "J/token", "not known on a CPU")
	assert.NotContains(t, report.String(), "memory a GPU")

	dir := t.TempDir()
	require.NoError(t, s.WriteFiles(dir))
	text, err := os.ReadFile(filepath.Join(dir, "scaling.txt"))
	require.NoError(t, err)
	assert.Equal(t, report.String(), string(text))
	file, err := os.Open(filepath.Join(dir, "scaling-"+string(workload.BatchSize)+".png"))
	require.NoError(t, err)
	defer file.Close()
	_, err = png.Decode(file)
	require.NoError(t, err)
}

// One run whose points differ in the size, among others.
func TestScalingOfOneRun(t *testing.T) {
	grid, err := workload.NewStudy("grid", benchtest.Point(2, 8, 4), workload.Axis{Name: "tensor_parallel_size", Values: []any{1, 2, 4}}, workload.Axis{Name: "max_num_seqs", Values: []any{1, 2}})
	require.NoError(t, err)
	run := scalingRun(t, 0, factors, func(s *bench.Settings) { s.Studies = []workload.Study{grid} })
	s, err := NewScaling(run)
	require.NoError(t, err)
	points := s.Studies[0].Points
	require.Len(t, points, 2)
	assert.Equal(t, "max_num_seqs=1", points[0].Name)
	assert.Equal(t, "max_num_seqs=2", points[1].Name)
	require.Len(t, points[1].Rows, 3)
	assert.InDelta(t, 2, points[1].Rows[2].Speedup, 1e-6)
	assert.InDelta(t, 0.5, points[1].Rows[2].Efficiency, 1e-6)

	sizes, err := workload.NewStudy("sizes", benchtest.Point(2, 8, 4), workload.Axis{Name: "tensor_parallel_size", Values: []any{1, 2}})
	require.NoError(t, err)
	s, err = NewScaling(scalingRun(t, 0, factors, func(s *bench.Settings) { s.Studies = []workload.Study{sizes} }))
	require.NoError(t, err)
	assert.Equal(t, "2 requests of 8 input and 4 output tokens", s.Studies[0].Points[0].Name)
}

// Engines are a size, too.
func TestScalingOverEngines(t *testing.T) {
	axes := []workload.Axis{{Name: "tensor_parallel_size", Values: []any{1, 2}}, {Name: "data_parallel_size", Values: []any{1, 2, 4}}}
	grid, err := workload.NewStudy("grid", benchtest.Point(2, 8, 4), axes...)
	require.NoError(t, err)
	s, err := NewScaling(scalingRun(t, 0, factors, func(s *bench.Settings) { s.Studies = []workload.Study{grid} }))
	require.NoError(t, err)
	points := s.Studies[0].Points
	require.Len(t, points, 1)
	var labels []string
	for _, row := range points[0].Rows {
		labels = append(labels, row.label())
		assert.InDelta(t, factors[row.TensorParallelSize], row.Speedup, 1e-6, "the fake's engines gain nothing")
		assert.InDelta(t, row.Speedup/float64(row.Size()), row.Efficiency, 1e-6)
	}
	assert.Equal(t, []string{"TP 1", "DP 2", "TP 2", "DP 4", "TP 2 × DP 2", "TP 2 × DP 4"}, labels)
	var report strings.Builder
	require.NoError(t, s.WriteReport(&report))
	assert.Contains(t, report.String(), "│ TP │ DP │")
	assert.Contains(t, report.String(), "DP 2: speed-up 1.00")
	assert.Contains(t, report.String(), "TP 2 × DP 4: speed-up 1.50")
	assert.Equal(t, []string{"2 requests of 8 input and 4 output tokens, TP", "2 requests of 8 input and 4 output tokens, DP"},
		[]string{points[0].series()[0].name, points[0].series()[1].name})
	var plot bytes.Buffer
	require.NoError(t, s.WritePlot(&plot, s.Studies[0]))

	data, err := workload.NewStudy("data", benchtest.Point(2, 8, 4), axes[1])
	require.NoError(t, err)
	s, err = NewScaling(scalingRun(t, 0, factors, func(s *bench.Settings) { s.Studies = []workload.Study{data} }))
	require.NoError(t, err)
	assert.Equal(t, "data parallel size", s.sizeAxis())
	assert.Len(t, s.Studies[0].Points[0].series(), 1)
}

// A size whose engine did not open has rows without figures.
func TestScalingWithoutFigures(t *testing.T) {
	one, two := scalingRun(t, 1, factors, nil), scalingRun(t, 2, factors, nil)
	four := scalingRun(t, 4, factors, func(s *bench.Settings) {
		s.Open = fake.Opener[bench.Engine](&fake.Lab{OpenErr: func(vllmgo.EngineArgs) error { return fake.Err }})
	})
	s, err := NewScaling(one, four, two)
	require.NoError(t, err)
	row := s.Studies[0].Points[0].Rows[2]
	assert.Equal(t, Failed, row.Status)
	assert.Zero(t, row.Speedup)
	var b bytes.Buffer
	require.NoError(t, s.WriteCSV(&b))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 1+3*len(s.Studies[0].Points))
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	assert.Equal(t, "1.5", lines[2][column["speedup"]])
	assert.Equal(t, "0.75", lines[2][column["efficiency"]])
	assert.Equal(t, two.Name, lines[2][column["run"]])
	assert.Equal(t, "failed", lines[3][column["status"]])
	assert.Empty(t, lines[3][column["speedup"]])
	assert.Equal(t, four.Name, lines[3][column["run"]])
}

func TestScalingRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	one := scalingRun(t, 1, factors, nil)
	for want, change := range map[string]func(*bench.Settings){
		"these differ in seed: 0 (":                            func(s *bench.Settings) { s.Requests.Seed = 7 },
		`these differ in model: "facebook/opt-125m" (`:         func(s *bench.Settings) { s.ModelName = "other/model" },
		`these differ in engine_args.enforce_eager: not set (`: func(s *bench.Settings) { s.EngineArgs.EnforceEager = true },
		"name runs of the same points with diffe":              func(s *bench.Settings) { s.Studies = benchtest.Tiny(workload.RequestCount) },
		"with TP 1: leave one":                                 func(s *bench.Settings) { s.EngineArgs.TensorParallelSize = 0 },
	} {
		_, err := NewScaling(one, scalingRun(t, 2, factors, change))
		assert.ErrorContains(t, err, want)
	}
	_, err := NewScaling(one)
	assert.ErrorContains(t, err, "no point was measured with two tensor_parallel_size")
	_, err = NewScaling()
	assert.ErrorContains(t, err, "needs a run")

	two := scalingRun(t, 2, factors, nil)
	two.Engines[0].Info.Dtype = "float32"
	_, err = NewScaling(one, two)
	assert.ErrorContains(t, err, `these differ in dtype: "bfloat16" (`)

	two = scalingRun(t, 2, factors, nil)
	two.Studies[0].Rows[0].Trials[3].Ledger.PromptsSHA256 = "0"
	_, err = NewScaling(one, two)
	assert.ErrorContains(t, err, "with different prompts")

	two = scalingRun(t, 2, factors, nil)
	two.Engines[0].Info.VLLMVersion = "0.33.0"
	s, err := NewScaling(one, two)
	require.NoError(t, err)
	require.Len(t, s.Notes, 1)
	assert.Contains(t, s.Notes[0], `the runs differ in vllm_version: "0.32.0" (`)
}
