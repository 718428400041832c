package report

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"

	"vllmgo/internal/plain"
)

// WriteGoBenchmark writes the trials of the run in Go's benchmark format, which benchstat reads: a
// result for each trial, with its time, generated tokens and all tokens a second. The configuration
// key "run" has the given name, so that the outputs of several runs can follow each other.
//
//	vllmbench compare --format go-benchmark before after | benchstat -col run -
func (r *Results) WriteGoBenchmark(w io.Writer, run string) error {
	out := benchfmt.NewWriter(w)
	for _, row := range r.rows() {
		for _, t := range row.Trials {
			result := &benchfmt.Result{
				Name: benchfmt.Name(benchmarkName(row.Point.String())), Iters: 1,
				Values: []benchfmt.Value{
					{Value: float64(t.Elapsed), Unit: "ns/op"},
					{Value: row.GeneratedRate(t.Elapsed), Unit: "generated-tok/s"},
					{Value: row.TotalRate(t.Elapsed), Unit: "total-tok/s"},
				},
			}
			for _, c := range [][2]string{{"run", run}, {"model", r.model()}, {"hardware", r.hardware()}} {
				value := strings.ReplaceAll(plain.Text(c[1]), "\n", " ")
				result.Config = append(result.Config, benchfmt.Config{Key: c[0], Value: []byte(value), File: true})
			}
			if err := out.Write(result); err != nil {
				return err
			}
		}
	}
	return nil
}

// benchmarkName returns the name of a point as that of a benchmark, such as "Batch_size_8", without
// spaces.
func benchmarkName(point string) string {
	first := true
	return strings.Map(func(r rune) rune {
		defer func() { first = false }()
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return '_'
		case first:
			return unicode.ToUpper(r)
		}
		return r
	}, point)
}
