// Command truth writes random journals, and prints what vllmgo reports on them, a pair of runs of
// the same points on each line. compare.py compares that with a second implementation; see
// `make truth`.
//
// usage: truth SEED JOURNALS
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"vllmgo/bench/journal"
	"vllmgo/bench/report"
)

// pair is a line: two runs of the same points, their comparison and their scaling.
type pair struct {
	Runs       [2]run
	Comparison *report.Comparison
	// Scaling is the CSV file; empty when both runs have the same tensor_parallel_size.
	Scaling string
}

// run is what was recorded and what is reported.
type run struct {
	Seed    uint64
	Records []journal.Record
	Results *report.Results
	// CSV has the files of the studies.
	CSV []string
}

func main() {
	if err := printPairs(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1)
	}
}

func printPairs(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%d arguments; usage: truth SEED JOURNALS", len(args))
	}
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	// The journal is synced to disk after each line, which costs nothing in memory.
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "vllmgo-truth-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := json.NewEncoder(os.Stdout)
	for i := uint64(0); i < uint64(n); i += 2 {
		p, err := newPair(dir, seed+i)
		if err != nil {
			return fmt.Errorf("journals %d and %d: %w", seed+i, seed+i+1, err)
		}
		if err := out.Encode(p); err != nil {
			return err
		}
	}
	return nil
}

// newPair makes the journals with two seeds and their reports.
func newPair(dir string, seed uint64) (*pair, error) {
	r := rand.New(rand.NewPCG(seed, 0))
	header := newHeader(r)
	p := new(pair)
	sizes := [2]int{1, 1}
	if header.Device != "cpu" {
		sizes[0] = 1 + r.IntN(2)
		sizes[1] = sizes[0] * (1 + r.IntN(3))
	}
	scales := make([]float64, len(header.Studies[0].Points))
	for i := range scales {
		// From ten microseconds to a hundred seconds, in nanoseconds.
		scales[i] = math.Pow(10, 4+7*r.Float64())
	}
	for i, size := range sizes {
		g := &generator{Rand: rand.New(rand.NewPCG(seed+uint64(i), 1)), size: size, scales: scales}
		var err error
		if p.Runs[i], err = newRun(filepath.Join(dir, fmt.Sprint(seed+uint64(i))), g.records(header)); err != nil {
			return nil, err
		}
		p.Runs[i].Seed = seed + uint64(i)
	}
	p.Comparison = report.Compare(p.Runs[0].Results, p.Runs[1].Results)
	if sizes[0] == sizes[1] {
		return p, nil
	}
	scaling, err := report.NewScaling(report.ScalingRun{Name: "0", Results: p.Runs[0].Results},
		report.ScalingRun{Name: "1", Results: p.Runs[1].Results})
	if err != nil {
		return nil, err
	}
	var csv bytes.Buffer
	err = scaling.WriteCSV(&csv)
	p.Scaling = csv.String()
	return p, err
}

// newRun writes a journal, reads it back and reports on it.
func newRun(dir string, records []journal.Record) (run, error) {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return run{}, err
	}
	w, err := journal.Create(filepath.Join(dir, journal.FileName), *records[0].Header)
	if err != nil {
		return run{}, err
	}
	defer w.Close()
	for _, r := range records[1:] {
		if err := w.Append(r); err != nil {
			return run{}, err
		}
	}
	results, err := report.Read(dir)
	if err != nil {
		return run{}, err
	}
	result := run{Records: records, Results: results}
	for _, s := range results.Studies {
		var csv bytes.Buffer
		if err := results.WriteCSV(&csv, s); err != nil {
			return run{}, err
		}
		result.CSV = append(result.CSV, csv.String())
	}
	return result, os.RemoveAll(dir)
}
