package report

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// wideNames is a run whose names have Chinese characters and emoji, and of which points failed.
func wideNames(t *testing.T) *Results {
	t.Helper()
	grid := studyOf(t, "格子", workload.Axis{Name: "requests", Values: []any{1, 8}},
		workload.Axis{Name: "dtype", Values: []any{"半精度浮点数🚀半精度浮点数🚀半精度浮点数🚀", "bfloat16"}})
	study := preset(t, "full")[2]
	study.Parameter = "请求数量"
	j := journalOf([]workload.Study{grid, study}, []float64{300, 800, 1000, 0}, []float64{300, 800, -1, 600, 900})
	j.Header.Model = "组织/模型🚀"
	j.Header.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j.Header.Machine = journal.Machine{CPU: "处理器", Cores: 4}
	for i := range j.Failures {
		j.Failures[i].Reason = strings.Repeat("内存不足", 30)
	}
	j.Trials[0].Usage.OtherCores = 2
	j.Trials[1].Usage.OtherCores = 3
	return New(j)
}

// fullyKnown is a run of which everything is decided.
func fullyKnown(t *testing.T) *Results {
	t.Helper()
	j := repeated(journalOf(preset(t, "full"), []float64{100, 190, 340, 520, 560, 600}, []float64{300, 500, 400, 200, 100},
		[]float64{400, 780, 1000, 810, 900}))
	j.Header.Preset = "full"
	j.Header.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return New(j)
}

// repeated gives each point of a journal six trials, whose times differ by 1 % at most.
func repeated(j *journal.Journal) *journal.Journal {
	var trials []journal.Trial
	for _, t := range j.Trials {
		elapsed := t.Elapsed
		for i, percent := range []time.Duration{100, 101, 99, 100, 101, 99} {
			t.Trial, t.Elapsed = i+1, elapsed*percent/100
			trials = append(trials, t)
		}
	}
	j.Trials = trials
	return j
}

// The short report reads well at each width, with wide characters too, and never has colors.
func TestShortReport(t *testing.T) {
	quick, err := Read(filepath.Join(committed, "cpu-opt-125m-quick"))
	require.NoError(t, err)
	latency, err := Read(filepath.Join(committed, "cpu-latency"))
	require.NoError(t, err)
	for name, r := range map[string]*Results{
		"quick": quick, "latency": latency, "wide-names": wideNames(t), "decided": fullyKnown(t),
	} {
		for _, width := range []int{80, 100, 160} {
			for _, color := range []string{"", "1"} {
				t.Setenv("NO_COLOR", color)
				var b strings.Builder
				require.NoError(t, r.WriteShort(&b, "results/x", width))
				golden(t, fmt.Sprintf("short/%s-%d.txt", name, width), b.String())
				assert.NotContains(t, b.String(), "\x1b")
				for line := range strings.Lines(b.String()) {
					limit := width
					if strings.ContainsAny(line, "│─") {
						limit = min(width, tableWidth)
					}
					assert.LessOrEqual(t, twwidth.Width(strings.TrimSuffix(line, "\n")), limit, line)
				}
			}
		}
	}
}

// Without a terminal the lines have 80 columns, and the report names the file with the rest.
func TestPublishWithoutTerminal(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(committed, "cpu-latency", journal.FileName))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, journal.FileName), text, 0o644))
	var b strings.Builder
	r, err := Publish(dir, &b)
	require.NoError(t, err)
	var want strings.Builder
	require.NoError(t, r.WriteShort(&want, dir, 80))
	assert.Equal(t, want.String(), b.String())
	assert.True(t, strings.HasSuffix(b.String(), "\nDetails: "+filepath.Join(dir, "report.txt")+"\n"))
	assert.FileExists(t, filepath.Join(dir, "report.txt"))
}

// One line says whether the figures can be trusted, by checks, intervals, failures and the target.
func TestTrust(t *testing.T) {
	study := preset(t, "full")[:1]
	rates := []float64{100, 190, 340, 520, 700, 800}
	trust := func(change func(*journal.Journal), rates ...float64) string {
		j := repeated(journalOf(study, rates))
		j.Header.Stopping.Target = 0.02
		if change != nil {
			change(j)
		}
		return New(j).trust()
	}
	assert.Equal(t, "good. All 6 points passed all checks, medians known within 1.0 %.", trust(nil, rates...))
	assert.Equal(t, "some. Medians known within 1.0 %, where 0.5 % was the target.",
		trust(func(j *journal.Journal) { j.Header.Stopping.Target = 0.005 }, rates...))
	assert.Equal(t, "some. No figures or a failed trial at 1 of 6 points; medians known within 1.0 %.",
		trust(nil, 100, 190, 340, 520, 700, 0))
	assert.Equal(t, "some. A failed check (other load) at 2 of 6 points; medians known within 1.0 %.",
		trust(func(j *journal.Journal) { j.Trials[0].Usage.OtherCores, j.Trials[6].Usage.OtherCores = 1, 1 }, rates...))
	assert.Equal(t, "little. Other work than was asked for at 1 of 6 points.",
		trust(func(j *journal.Journal) {
			j.Failures = append(j.Failures, journal.Failure{Engine: 1, Point: new(j.Trials[0].PointID), Trial: 7, Check: journal.CheckCounts})
		}, rates...))
	assert.Equal(t, "little. Fewer than the 6 independent trials of a 95 % interval at 6 of 6 points.",
		trust(func(j *journal.Journal) {
			j.Trials = slices.DeleteFunc(j.Trials, func(t journal.Trial) bool { return t.Trial > 5 })
		}, rates...))
	assert.Equal(t, "some. The run had problems; medians known within 1.0 %.",
		trust(func(j *journal.Journal) { j.Ended = false }, rates...))
	assert.Equal(t, "none, because nothing was measured.", trust(nil, 0, 0, 0, 0, 0, 0))
}

// An error of the writer is returned.
func TestShortReportWriteError(t *testing.T) {
	reader, writer := io.Pipe()
	require.NoError(t, reader.Close())
	assert.Error(t, fullyKnown(t).WriteShort(writer, "", 80))
}
