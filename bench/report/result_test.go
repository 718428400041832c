package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/benchtest"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// journalOf is a journal with one engine and, for each study, trials with the given throughputs, in
// generated tokens a second. A throughput of 0 is a failed point, a negative one a missing point.
func journalOf(studies []workload.Study, rates ...[]float64) *journal.Journal {
	j := &journal.Journal{
		Header: journal.Header{Schema: journal.Schema, Model: "a/model", Preset: "quick", Device: "cpu", Stopping: stat.FixedTrials(1), Studies: studies},
		Engines: []journal.Engine{{
			Number: 1, LoadTime: 9 * time.Second, HostMemory: 3 << 29, GPUMemory: new(int64(5 << 30)),
			Info: vllmgo.Info{Device: "cuda", DeviceName: "NVIDIA H100", Dtype: "float16", TensorParallelSize: 2, EngineMode: vllmgo.OwnProcess,
				KVCacheTokens: 1 << 20},
		}},
	}
	for i, study := range studies {
		for k, p := range study.Points {
			switch rate := rates[i][k]; {
			case rate == 0:
				j.Failures = append(j.Failures, journal.Failure{Engine: 1, Point: new(p.ID()), Trial: 1, Reason: "it broke"})
			case rate > 0:
				elapsed := time.Duration(float64(p.OutputTokens()) / rate * float64(time.Second))
				j.Trials = append(j.Trials, journal.Trial{PointID: p.ID(), Trial: 1, Engine: 1, Elapsed: elapsed, PeakKVTokens: p.PeakKVTokens(256, 16),
					Ledger: journal.Ledger{Requests: p.Requests, InputTokens: p.InputTokens(), OutputTokens: p.OutputTokens()}})
			}
		}
	}
	return j
}

func preset(t *testing.T, name string) []workload.Study {
	t.Helper()
	studies, err := workload.Preset(name)
	require.NoError(t, err)
	return studies
}

func TestMetrics(t *testing.T) {
	p := benchtest.Point(4, 128, 64)
	assert.Equal(t, 512.0, p.GeneratedRate(500*time.Millisecond))
	assert.Equal(t, 1536.0, p.TotalRate(500*time.Millisecond))
}

func TestBatchSizeFinding(t *testing.T) {
	studies := preset(t, "full")[:1]
	finding := func(rates ...float64) string {
		return New(journalOf(studies, rates)).Studies[0].Finding
	}
	assert.Equal(t, "Scaling efficiency, (tok/s at N ÷ tok/s at 1) ÷ N: 1: 100 %, 2: 90 %, 4: 75 %, 8: 62 %, 16: 34 %, 32: 19 %."+
		" Gains by doubling: 1→2: +80 %, 2→4: +67 %, 4→8: +67 %, 8→16: +10 %, 16→32: +9 %; doubling stops paying at 8→16: none from there on adds 25 %.",
		finding(100, 180, 300, 500, 550, 600))
	assert.Contains(t, finding(100, 200, 400, 800, 1600, 3200), "32: 100 %. ")
	assert.Contains(t, finding(100, 200, 400, 800, 1600, 3200), "the last adds at least 25 %, so doubling pays as far as this sweep goes.")
	assert.Contains(t, finding(100, 110, 220, 440, 450, 460), "doubling stops paying at 8→16: none", "a slow start is no end")
	assert.Equal(t, "Scaling efficiency needs the row batch size 1, which has no figures."+
		" Gains by doubling: 8→16: +100 %, 16→32: -25 %; doubling stops paying at 16→32: none from there on adds 25 %."+
		" Without figures: batch size 1 (failed) and batch size 4 (not measured).",
		finding(0, 200, -1, 800, 1600, 1200))
	assert.Equal(t, "Scaling efficiency, (tok/s at N ÷ tok/s at 1) ÷ N: 1: 100 %. No two measured rows are a doubling apart."+
		" Without figures: batch size 2 (not measured), batch size 4 (not measured), batch size 8 (not measured), batch size 16 (not measured) and batch size 32 (not measured).",
		finding(100, -1, -1, -1, -1, -1))
	assert.Equal(t, "No row was measured, so there is no finding.", finding(0, 0, 0, 0, 0, 0))
}

func TestSequenceLengthFinding(t *testing.T) {
	studies := preset(t, "full")[1:2]
	finding := func(rates ...float64) string {
		return New(journalOf(studies, rates)).Studies[0].Finding
	}
	assert.Equal(t, "Best length: 128, with 900 generated tok/s; the slowest is 512, with 300, 67 % less.", finding(500, 700, 900, 600, 300))
	assert.Equal(t, "Best length: 64, with 700 generated tok/s; it is the only row with figures."+
		" Without figures: sequence length 32 (failed), sequence length 128 (failed), sequence length 256 (failed) and sequence length 512 (failed).",
		finding(0, 700, 0, 0, 0))
}

func TestRequestCountFinding(t *testing.T) {
	studies := preset(t, "full")[2:]
	finding := func(rates ...float64) string {
		return New(journalOf(studies, rates)).Studies[0].Finding
	}
	assert.Equal(t, "Peak: request count 100, with 1000 generated tok/s. Dips, more than 5 % below the row before, beyond the intervals: 200 (40 % below 100).",
		finding(300, 800, 1000, 600, 900))
	assert.Equal(t, "Peak: request count 500, with 1000 generated tok/s. No dips: no row is more than 5 % below the row before, beyond the intervals.",
		finding(300, 800, 960, 930, 1000))
}

func TestRecommendations(t *testing.T) {
	studies := preset(t, "full")
	r := New(journalOf(studies,
		[]float64{100, 190, 340, 520, 700, 800}, // 640, 674, 753, 985, 1463, 2560 ms for 64 tokens
		[]float64{500, 500, 500, 500, 500},
		[]float64{400, 780, 860, 810, 850}))
	require.Len(t, r.Recommendations, 3)

	best := r.Recommendations[0]
	assert.Equal(t, "maximum throughput", best.Goal)
	assert.Equal(t, []string{"request count 100"}, best.Rows)
	assert.Equal(t, "request count 100 (100 requests of 128 input and 64 output tokens): 860 generated tok/s, the most of all 16 rows."+
		" The batch completes in 7.44 s and demands 19200 KV tokens; loading its engine took 9.00 s, 1.50 GiB of host memory and 5.00 GiB of GPU memory.", best.Text)

	quickest := r.Recommendations[1]
	assert.Equal(t, "lower latency", quickest.Goal)
	assert.Equal(t, []string{"batch size 1", "batch size 4"}, quickest.Rows, "batch size 8 takes 1.54 times as long")
	assert.Equal(t, "batch size 1 (1 request of 128 input and 64 output tokens): completes in 0.640 s, 10.0 ms for each token of a request, the least of the 6 rows that differ in batch size only."+
		" Within 1.5 times that, batch size 4 gives 3.4 times the throughput: 11.8 ms a token and 340 generated tok/s.", quickest.Text)

	leanest := r.Recommendations[2]
	assert.Equal(t, "resource efficiency", leanest.Goal)
	assert.Equal(t, []string{"batch size 32", "request count 100"}, leanest.Rows)
	assert.Equal(t, "batch size 32 (32 requests of 128 input and 64 output tokens): demands 6144 KV tokens and completes in 2.56 s;"+
		" loading its engine took 9.00 s, 1.50 GiB of host memory and 5.00 GiB of GPU memory."+
		" Of the rows with at least 90 % of the most throughput it demands the least: 800 generated tok/s, 93 % of request count 100, which demands 19200 KV tokens and completes in 7.44 s.", leanest.Text)
}

func TestRecommendationsWithGaps(t *testing.T) {
	studies := preset(t, "full")[:1]
	r := New(journalOf(studies, []float64{0, 190, -1, 200, 100, 100}))
	require.Len(t, r.Recommendations, 3)
	assert.Contains(t, r.Recommendations[0].Text, "batch size 8 (8 requests")
	assert.Contains(t, r.Recommendations[0].Text, "the most of the 4 rows that have figures")
	assert.Equal(t, []string{"batch size 2"}, r.Recommendations[1].Rows)
	assert.Contains(t, r.Recommendations[1].Text, "No row of its study gives more throughput within 1.5 times that.")
	assert.Equal(t, []string{"batch size 2", "batch size 8"}, r.Recommendations[2].Rows)

	one := New(journalOf(studies, []float64{0, 190, 0, 0, 0, 0}))
	assert.Contains(t, one.Recommendations[2].Text, "it demands the least: 190 generated tok/s, which is the most.")

	none := New(journalOf(studies, make([]float64, 6)))
	assert.Empty(t, none.Recommendations)
	var report strings.Builder
	require.NoError(t, none.WriteReport(&report))
	assert.Contains(t, report.String(), "None: no row was measured.")
	assert.Contains(t, report.String(), "no row has figures")
}

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
		"- Maximum throughput: request count 100",
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

func TestCSV(t *testing.T) {
	studies := preset(t, "full")[:1]
	j := journalOf(studies, []float64{100, 0, 200, 400, 800, -1})
	j.Header.RandomWeights = true
	r := New(j)
	var b bytes.Buffer
	require.NoError(t, r.WriteCSV(&b, r.Studies[0]))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 7)
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	cell := func(line int, name string) string { return lines[line][column[name]] }
	assert.Equal(t, "0.640000", cell(1, "elapsed_s"))
	assert.Equal(t, "0", cell(1, "confidence"), "of a single trial")
	assert.Equal(t, "100.000", cell(1, "generated_tokens_per_s"))
	assert.Equal(t, "300.000", cell(1, "total_tokens_per_s"))
	assert.Equal(t, "192", cell(1, "peak_kv_tokens"))
	assert.Equal(t, "9.000000", cell(1, "load_s"))
	assert.Equal(t, "1610612736", cell(1, "load_host_bytes"))
	assert.Equal(t, "5368709120", cell(1, "load_gpu_bytes"))
	assert.Equal(t, "true", cell(1, "random_weights"))
	assert.Equal(t, "own-process", cell(1, "engine_mode"))
	assert.Equal(t, "failed", cell(2, "status"))
	assert.Equal(t, "", cell(2, "elapsed_s"))
	assert.Equal(t, "it broke", cell(2, "notes"))
	assert.Equal(t, "not measured", cell(6, "status"))
}

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

func TestRateTicks(t *testing.T) {
	for top, want := range map[float64][]string{
		0.9:   {"0", "0.2", "0.4", "0.6", "0.8"},
		5:     {"0", "1", "2", "3", "4", "5"},
		125:   {"0", "20", "40", "60", "80", "100", "120"},
		48000: {"0", "10000", "20000", "30000", "40000"},
	} {
		var labels []string
		for _, tick := range rateTicks(0, top) {
			labels = append(labels, tick.Label)
		}
		assert.Equal(t, want, labels, "up to %v", top)
	}
}

// Everything that is made from a journal can be made again from its file, byte for byte.
func TestReplay(t *testing.T) {
	lab := &fake.Lab{Fault: func(pass int, _ *vllmgo.Generation) error {
		if pass == 50 {
			return fake.Err
		}
		return nil
	}}
	s := benchtest.Settings(t, lab)
	s.RandomWeights = true
	require.NoError(t, bench.Run(t.Context(), s))
	require.NoError(t, resultsOf(t, s).WriteFiles(s.Dir))
	again := t.TempDir()
	require.NoError(t, resultsOf(t, s).WriteFiles(again))

	files, err := os.ReadDir(again)
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
		first, err := os.ReadFile(filepath.Join(s.Dir, file.Name()))
		require.NoError(t, err)
		second, err := os.ReadFile(filepath.Join(again, file.Name()))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(first, second), file.Name())
		if filepath.Ext(file.Name()) != ".png" {
			assert.Regexp(t, "random weights|random_weights", string(first), file.Name())
		}
	}
	assert.Equal(t, []string{
		"batch-size.csv", "batch-size.png", "report.txt", "request-count.csv", "request-count.png",
		"results.json", "sequence-length.csv", "sequence-length.png",
	}, names)

	text, err := os.ReadFile(filepath.Join(s.Dir, "results.json"))
	require.NoError(t, err)
	var results Results
	require.NoError(t, json.Unmarshal(text, &results))
	assert.Equal(t, resultsOf(t, s), &results, "results.json holds everything")
}

// resultsOf reads the journal of a run and returns its results.
func resultsOf(t *testing.T, s bench.Settings) *Results {
	t.Helper()
	journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	return New(journal)
}
