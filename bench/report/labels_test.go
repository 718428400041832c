package report

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// studyOf returns a study of axes.
func studyOf(t *testing.T, name string, axes ...workload.Axis) workload.Study {
	t.Helper()
	study, err := workload.NewStudy(name, workload.Point{Requests: 4, InputLen: 8, OutputLen: 4}, axes...)
	require.NoError(t, err)
	return study
}

// What a finding says depends on what the points vary, and not on the study's name.
func TestFindingsNameWhatVaries(t *testing.T) {
	for name := range strings.SplitSeq("batch-size sequence-length request-count mine", " ") {
		study := studyOf(t, name, workload.Axis{Name: "max_num_seqs", Values: []any{1, 2, 4, 8}})
		r := New(repeated(journalOf([]workload.Study{study}, []float64{100, 400, 200, 300})))
		assert.Equal(t, "Peak: max_num_seqs=2, with 400 generated tok/s, beyond the 95 % intervals. Dips, more than 5 % below the one before,"+
			" beyond the 95 % intervals: max_num_seqs=4 (50 % below max_num_seqs=2).", r.Studies[0].Finding)
		var text strings.Builder
		require.NoError(t, r.WriteReport(&text))
		assert.NotContains(t, text.String(), "Scaling efficiency")
		assert.NotContains(t, text.String(), "differ in batch size only")
	}
}

// A row of a CSV file has its value on each axis, also where the row's number only counts.
func TestCSVHasTheAxes(t *testing.T) {
	cells := func(axes ...workload.Axis) [][]string {
		study := studyOf(t, "study", axes...)
		rates := make([]float64, len(study.Points))
		r := New(journalOf([]workload.Study{study}, rates))
		var b bytes.Buffer
		require.NoError(t, r.WriteCSV(&b, r.Studies[0]))
		lines, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		for i := range lines {
			lines[i] = lines[i][1 : 2+len(axes)]
		}
		return lines
	}
	seqs := workload.Axis{Name: "max_num_seqs", Values: []any{8, 16}}
	dtypes := workload.Axis{Name: "dtype", Values: []any{"float16", "bfloat16"}}
	assert.Equal(t, [][]string{{"value", "axis.max_num_seqs", "axis.dtype"}, {"1", "8", "float16"}, {"2", "8", "bfloat16"},
		{"3", "16", "float16"}, {"4", "16", "bfloat16"}}, cells(seqs, dtypes))
	assert.Equal(t, [][]string{{"value", "axis.dtype"}, {"1", "float16"}, {"2", "bfloat16"}}, cells(dtypes))
	assert.Equal(t, [][]string{{"value", "requests"}, {"8", "4"}, {"16", "4"}}, cells(seqs), "the value is that of the axis")
}

// A row of which a trial failed is never the best of anything, and the report says so.
func TestNothingThatFailedIsRecommended(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		studies := preset(t, "full")
		var rates [][]float64
		for _, s := range studies {
			var of []float64
			for range s.Points {
				of = append(of, 100+float64(random.IntN(10)))
			}
			rates = append(rates, of)
		}
		j := journalOf(studies, rates...)
		all := New(j).rows()
		failed := map[string]bool{}
		for range 1 + random.IntN(len(all)) {
			row := all[random.IntN(len(all))]
			f := journal.Failure{Engine: 1, Point: new(row.ID()), Trial: 2, Reason: "one token too few", Check: journal.CheckCounts}
			if random.IntN(2) == 0 {
				f.Check, f.Reason = "", "the engine died"
			}
			j.Failures = append(j.Failures, f)
			failed[row.Point.String()] = true
		}
		r := New(j)
		for _, rec := range r.Recommendations {
			for _, name := range rec.Rows {
				assert.False(t, failed[name], "%s: %s", name, rec.Text)
			}
		}
		for _, s := range r.Studies {
			best, _, _ := strings.Cut(summaryRow(s)[3], " (")
			assert.False(t, failed[best], best)
			before, leftOut, _ := strings.Cut(s.Finding, "Left out, because a trial failed: ")
			for _, row := range s.Rows {
				if name := row.Point.String(); failed[name] {
					assert.Contains(t, leftOut, name)
					assert.NotContains(t, before, "Peak: "+name+",")
					assert.NotContains(t, before, name+" (")
					assert.NotContains(t, before, "Fastest length: "+row.Name()+",")
				}
			}
		}
		var text strings.Builder
		require.NoError(t, r.WriteReport(&text))
		_, said, _ := strings.Cut(text.String(), "- Not recommended, because a trial failed: ")
		for name := range failed {
			assert.Contains(t, said, name)
		}
	}
}
