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

// Read reads the journal in a results directory and computes the results.
func Read(dir string) (*Results, error) {
	j, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
	if err != nil {
		return nil, err
	}
	return New(j), nil
}

// WriteFiles writes the results into a directory, over what is there: results.json and report.txt; for each
// study NAME.csv; NAME.png when a row was measured; NAME-latency.png when there are latencies; and
// NAME-scheduler.png when there are counts of the scheduler.
func (r *Results) WriteFiles(dir string) error {
	err := errors.Join(
		writeFile(dir, "results.json", r.WriteJSON),
		writeFile(dir, "report.txt", r.WriteReport),
	)
	for _, s := range r.Studies {
		err = errors.Join(err, writeFile(dir, s.Study.Name+".csv", func(w io.Writer) error { return r.WriteCSV(w, s) }))
		if len(measured(s.Rows)) > 0 {
			err = errors.Join(err, writeFile(dir, s.Study.Name+".png", func(w io.Writer) error { return r.WritePlot(w, s) }))
		}
		if len(timedRows(s)) > 0 {
			err = errors.Join(err, writeFile(dir, s.Study.Name+"-latency.png", func(w io.Writer) error { return r.WriteLatencyPlot(w, s) }))
		}
		if len(countedRows(s)) > 0 {
			err = errors.Join(err, writeFile(dir, s.Study.Name+"-scheduler.png", func(w io.Writer) error { return r.WriteSchedulerPlot(w, s) }))
		}
	}
	return err
}

// WriteJSON writes all results as one indented JSON object: settings, versions, machine, and every trial.
// Times are in nanoseconds, sizes in bytes.
func (r *Results) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

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
