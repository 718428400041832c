package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// WriteFiles writes the results into files of a directory, and replaces those that are there:
//
//	results.json        all results
//	report.txt          the report
//	NAME.csv            the rows of a study
//	NAME.png            a study's throughput, when a row was measured
//	NAME-latency.png    a study's latencies, when requests were timed
//	NAME-scheduler.png  what the scheduler did, when it was watched
func (r *Results) WriteFiles(dir string) error {
	err := errors.Join(
		writeFile(dir, "results.json", r.WriteJSON),
		writeFile(dir, "report.txt", r.WriteReport),
	)
	for _, s := range r.Studies {
		for _, f := range []struct {
			suffix string
			rows   []Row // none: no file
			write  func(io.Writer, StudyResult) error
		}{
			{".csv", s.Rows, r.WriteCSV},
			{".png", measured(s.Rows), r.WritePlot},
			{"-latency.png", timed(s.Rows), r.WriteLatencyPlot},
			{"-scheduler.png", watched(s.Rows), r.WriteSchedulerPlot},
		} {
			if len(f.rows) > 0 {
				write := func(w io.Writer) error { return f.write(w, s) }
				err = errors.Join(err, writeFile(dir, s.Study.Name+f.suffix, write))
			}
		}
	}
	return err
}

// WriteJSON writes all results as an indented JSON object: settings, versions, machine, and every
// trial. Times are in nanoseconds, sizes in bytes.
func (r *Results) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// writeFile writes a file of a directory.
func writeFile(dir, name string, write func(io.Writer) error) error {
	file, err := os.Create(filepath.Join(dir, name))
	if err == nil {
		err = errors.Join(write(file), file.Close())
	}
	if err != nil {
		return fmt.Errorf("bench: writing %s: %w", name, err)
	}
	return nil
}
