package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"vllmgo/bench/workload"
)

// Passes is the number of a point's latency passes.
func (j *Journal) Passes(p workload.PointID) int {
	n := 0
	for _, l := range j.Latencies {
		if l.PointID == p {
			n++
		}
	}
	return n
}

// JournalSchema is the version of the journal's format. ReadJournal refuses any other.
const Schema = 2

// JournalName is the journal's file name in a results directory.
const FileName = "journal.jsonl"

// Journal is everything that a run learned, as read back from its file. Tables, plots, files and the report
// are made from it alone.
//
// The file has one JSON object a line with a single member, which says what the line is: "header", the
// first line; "engine", when one opened; "warm_up" and "trial", as each ends; "failure";
// "latency", a pass that timed requests; "limits", what the device is
// capable of; "begin", before anything that may end the process; "done", when the budget ends a point; "end", when nothing
// was left to measure.
type Journal struct {
	Header   Header
	Engines  []Engine
	WarmUps  []WarmUp
	Trials   []Trial
	Failures []Failure
	// Latencies are the passes that timed each request.
	Latencies []LatencyPass
	// Limits are what the device was measured to be capable of; nil when they were not measured.
	Limits *Limits
	// OutOfBudget are the points that the budget ended.
	OutOfBudget []workload.PointID
	// Ended is true when the run came to its end and was not interrupted.
	Ended bool
	// Damaged is true when the last line could not be read and was left out, as after a crash.
	Damaged bool

	UnderWay   *Begin // the latest, when nothing came of it
	LastEngine int    // the highest number of an engine
}

// ReadFile reads the journal in a file; see [Read].
func ReadFile(path string) (*Journal, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("bench: reading the journal: %w", err)
	}
	defer file.Close()
	return Read(file)
}

// Read reads a journal. A last line that is damaged or cut short is left out, and Journal.Damaged
// set. Any other damage, a missing header, another schema, or a trial of an engine that is not in the
// journal is an error.
func Read(r io.Reader) (*Journal, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("bench: reading the journal: %w", err)
	}
	journal := new(Journal)
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	for i, line := range lines {
		err := journal.add(line, i == 0)
		if err != nil && i > 0 && i == len(lines)-1 {
			journal.Damaged = true
		} else if err != nil {
			return nil, fmt.Errorf("bench: line %d of the journal: %w", i+1, err)
		}
	}
	return journal, nil
}

// add takes in one line.
func (j *Journal) add(line []byte, first bool) error {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	switch {
	case first && r.Header == nil:
		return errors.New("the first line is no header")
	case first && r.Header.Schema != Schema:
		return fmt.Errorf("schema %d; this program reads %d", r.Header.Schema, Schema)
	case first:
		j.Header = *r.Header
	case r.Engine != nil:
		j.Engines = append(j.Engines, *r.Engine)
		j.LastEngine = max(j.LastEngine, r.Engine.Number)
	case r.Trial != nil && !j.opened(r.Trial.Engine):
		return fmt.Errorf("a trial of engine %d, which did not open", r.Trial.Engine)
	case r.WarmUp != nil:
		j.WarmUps = append(j.WarmUps, *r.WarmUp)
	case r.Trial != nil:
		j.Trials = append(j.Trials, *r.Trial)
	case r.Failure != nil:
		j.Failures = append(j.Failures, *r.Failure)
	case r.Latency != nil:
		j.Latencies = append(j.Latencies, *r.Latency)
	case r.Limits != nil:
		j.Limits = r.Limits
	case r.Begin != nil:
		j.UnderWay = r.Begin
		j.LastEngine = max(j.LastEngine, r.Begin.Engine)
		return nil
	case r.Done != nil:
		j.OutOfBudget = append(j.OutOfBudget, *r.Done)
	case r.End != nil:
		j.Ended = true
	default:
		return errors.New("neither engine, warm-up, trial, failure, latency, limits, begin, done nor end")
	}
	j.UnderWay = nil
	return nil
}

// Times are those of a point's trials.
func (j *Journal) Times(p workload.PointID) []time.Duration {
	var times []time.Duration
	for _, t := range j.Trials {
		if t.PointID == p {
			times = append(times, t.Elapsed)
		}
	}
	return times
}

// Finished reports whether nothing is left to measure of a point.
func (j *Journal) Finished(p workload.PointID) bool {
	failed := func(f Failure) bool { return f.Point != nil && *f.Point == p && !f.Latency }
	return slices.ContainsFunc(j.Failures, failed) || slices.Contains(j.OutOfBudget, p) || j.Header.Stopping.Done(j.Times(p))
}

// Spent is the time that the run took so far, as far as the journal tells: loading, warm-up and trials.
func (j *Journal) Spent() time.Duration {
	var total time.Duration
	for _, e := range j.Engines {
		total += e.LoadTime
	}
	for _, w := range j.WarmUps {
		total += w.Single
		for _, pass := range w.Passes {
			total += pass
		}
	}
	for _, t := range j.Trials {
		total += t.Elapsed + t.Outside
	}
	return total
}

func (j *Journal) opened(engine int) bool {
	return slices.ContainsFunc(j.Engines, func(e Engine) bool { return e.Number == engine })
}
