package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"vllmgo/bench/journal"
)

// comparedRuns returns a run of twelve trials and one that is 4 % slower at some points.
func comparedRuns(t *testing.T) (first, second *Results) {
	t.Helper()
	study := preset(t, "full")[:1]
	of := func(rates ...float64) *Results {
		j := repeated(journalOf(study, rates))
		more := repeated(journalOf(study, rates))
		for i := range more.Trials {
			more.Trials[i].Trial += 6
		}
		j.Trials = append(j.Trials, more.Trials...)
		return New(j)
	}
	return of(100, 200, 300, 400, 500, 600), of(96, 192, 300, 400, 500, 600)
}

// The comparison reads well at each width, and as Markdown.
func TestCompareReport(t *testing.T) {
	first, second := comparedRuns(t)
	c := Compare(first, second)
	c.Notes = append(c.Notes, "engine.args.max_num_seqs: 256 in the first run, 2 in the second")
	for _, width := range []int{80, 100, 160} {
		var b strings.Builder
		require.NoError(t, c.Write(&b, "results/模型", "results/after🚀", width))
		golden(t, fmt.Sprintf("compare/text-%d.txt", width), b.String())
		for line := range strings.Lines(b.String()) {
			assert.LessOrEqual(t, twwidth.Width(strings.TrimSuffix(line, "\n")), width)
		}
	}
	var b strings.Builder
	require.NoError(t, c.WriteMarkdown(&b, "results/before", "results/after"))
	golden(t, "compare/markdown.md", b.String())
}

// Too few trials say so, with how many would do.
func TestCompareTooFewTrials(t *testing.T) {
	study := preset(t, "full")[:1]
	twice := func() *Results {
		j := journalOf(study, []float64{100, 200, 300, 400, 500, 600})
		j.Trials = append(j.Trials, j.Trials...)
		for i := range j.Trials[6:] {
			j.Trials[6+i].Trial = 2
		}
		return New(j)
	}
	var b strings.Builder
	require.NoError(t, Compare(twice(), twice()).Write(&b, "first", "second", 80))
	assert.Equal(t, 6, strings.Count(b.String(), "│ too few trials │"))
	assert.NotContains(t, b.String(), "not shown to differ")
	assert.Contains(t, b.String(), "Geometric mean over 6 points: 1.000, too few trials.\nToo few trials to show 3 %: use --trials 6.\n")
	b.Reset()
	require.NoError(t, Compare(twice(), New(journalOf(preset(t, "quick")[1:2], make([]float64, 5)))).Write(&b, "first", "second", 80))
	assert.Contains(t, b.String(), "Nothing in common: no point was measured in both runs.\n")
}

// Runs of unlike models, machines or prompts are unlike, and others are not.
func TestUnlike(t *testing.T) {
	study := preset(t, "full")[:1]
	unlike := func(change func(*journal.Journal)) []string {
		rates := []float64{100, 200, 300, 400, 500, 600}
		j := journalOf(study, rates)
		change(j)
		return Compare(New(journalOf(study, rates)), New(j)).Unlike
	}
	assert.Empty(t, unlike(func(j *journal.Journal) { j.Engines[0].Info.Dtype = "float32" }), "which may be the question")
	assert.Equal(t, []string{"the models a/model and another"}, unlike(func(j *journal.Journal) { j.Header.Model = "another" }))
	assert.Equal(t, []string{"the models a/model and a/model, random weights"}, unlike(func(j *journal.Journal) { j.Header.RandomWeights = true }))
	assert.Equal(t, []string{"their prompts"}, unlike(func(j *journal.Journal) { j.Trials[3].Ledger.PromptsSHA256 = "another" }))
	assert.Contains(t, unlike(func(j *journal.Journal) { j.Header.Machine.CPU = "another" })[0], "the machines ")
}

// A reader of Go's benchmark format gets each trial.
func TestGoBenchmark(t *testing.T) {
	first, _ := comparedRuns(t)
	var b strings.Builder
	require.NoError(t, first.WriteGoBenchmark(&b, "results/before"))
	reader := benchfmt.NewReader(strings.NewReader(b.String()), "before")
	results := 0
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		require.True(t, ok, "%v", reader.Result())
		if results == 0 {
			assert.Equal(t, "Batch_size_1", string(result.Name))
			assert.Equal(t, "results/before", result.GetConfig("run"))
			seconds, _ := result.Value("sec/op")
			assert.InDelta(t, 0.64, seconds, 1e-9)
			rate, _ := result.Value("generated-tok/s")
			assert.InDelta(t, 100, rate, 1e-6)
		}
		results++
	}
	require.NoError(t, reader.Err())
	assert.Equal(t, 6*12, results)
}
