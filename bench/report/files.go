package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFiles writes everything that is made from a journal into a directory, over what is there:
// results.json; for each study NAME.csv, NAME.png when it has a measured row, NAME-latency.png when it has latencies, and
// NAME-scheduler.png when it has the scheduler's counts; and report.txt.
func WriteFiles(dir string, r *Results) error {
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
