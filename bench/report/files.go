package report

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"

	"vllmgo/bench/internal/files"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
)

// Read reads the journal in a results directory and computes its results.
func Read(dir string) (*Results, error) {
	j, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
	if err != nil {
		return nil, err
	}
	return New(j), nil
}

// Width returns the width of the terminal that w is, in columns; 80 when it is none.
func Width(w io.Writer) int { return format.Width(w) }

// Publish computes the results of the run in a directory, writes their files into it and the report
// in short to w, as wide as the terminal that w is, and returns the results. It is what a program
// does after a run.
func Publish(dir string, w io.Writer) (*Results, error) {
	r, err := Read(dir)
	if err != nil {
		return nil, err
	}
	return r, errors.Join(r.WriteFiles(dir), r.WriteShort(w, dir, Width(w)))
}

// WriteFiles writes the results into files of a directory, and replaces those that are there:
//
//	results.json        all results
//	report.txt          the report
//	NAME.csv            the rows of a study
//	NAME.png            a study's throughput, when a row was measured
//	NAME-latency.png    a study's latencies, when requests were timed
//	NAME-scheduler.png  what the scheduler did, when it was watched
func (r *Results) WriteFiles(dir string) error { return files.Write(dir, r.files()) }

// files returns the files of the results.
func (r *Results) files() []files.File {
	all := []files.File{{Name: "results.json", Write: r.WriteJSON}, {Name: "report.txt", Write: r.WriteReport}}
	for _, s := range r.Studies {
		add := func(suffix string, rows []Row, write func(io.Writer, StudyResult) error) {
			if len(rows) > 0 {
				all = append(all, files.File{
					Name: s.Study.Name + suffix, Write: func(w io.Writer) error { return write(w, s) },
				})
			}
		}
		add(".csv", s.Rows, r.WriteCSV)
		add(".png", measured(s.Rows), r.WritePlot)
		add("-latency.png", timed(s.Rows), r.WriteLatencyPlot)
		add("-scheduler.png", watched(s.Rows), r.WriteSchedulerPlot)
	}
	return all
}

// WriteJSON writes all results as an indented JSON object: settings, versions, machine, and every
// trial. Times are in nanoseconds, sizes in bytes.
func (r *Results) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
