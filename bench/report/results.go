package report

import (
	"fmt"
	"slices"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Results are the results of a run. [New] computes them from its journal.
type Results struct {
	Header journal.Header `json:"header"`
	// Limits are the limits of the device; nil when they were not measured.
	Limits *journal.Limits `json:"limits,omitempty"`
	// Engines are the engines that opened.
	Engines []journal.Engine `json:"engines"`
	// Studies are the results of the studies, in the order of the header.
	Studies []StudyResult `json:"studies"`
	// Recommendations rest on the rows that were measured. There are none without such rows.
	Recommendations []Recommendation `json:"recommendations"`
	// Problems are failures of whole engines, and damage to the journal.
	Problems []string `json:"problems,omitempty"`
	// Unverified is true when the journal has no checksums; see [journal.Journal]. It is not in
	// results.json, which an older program wrote without it.
	Unverified bool `json:"-"`
}

// StudyResult is the result of a study.
type StudyResult struct {
	Study workload.Study `json:"study"`
	// Rows has one row for each of the study's points, in their order.
	Rows []Row `json:"rows"`
	// Finding is what the rows show about the swept parameter, in words.
	Finding string `json:"finding"`
}

// New computes the results of a journal.
func New(j *journal.Journal) *Results {
	r := &Results{Header: j.Header, Limits: j.Limits, Engines: j.Engines, Unverified: j.Unverified}
	for _, study := range j.Header.Studies {
		s := StudyResult{Study: study}
		for _, p := range study.Points {
			s.Rows = append(s.Rows, newRow(j, p))
		}
		s.Finding = s.finding()
		r.Studies = append(r.Studies, s)
	}
	r.Recommendations = r.recommend()
	for _, f := range j.Failures {
		if f.Point == nil {
			r.Problems = append(r.Problems, fmt.Sprintf("engine %d: %s", f.Engine, f.Reason))
		}
	}
	if !j.Ended {
		r.Problems = append(r.Problems, "the journal has no end: the run was interrupted, or goes on")
	}
	if j.Damaged {
		r.Problems = append(r.Problems, "the journal's last line is damaged and was left out")
	}
	return r
}

// Complete reports whether every point has all its trials and, where latencies were asked for,
// latencies, and no trial failed.
func (r *Results) Complete() bool {
	return !slices.ContainsFunc(r.rows(), func(row Row) bool {
		return !row.measured() || row.Stopped == stat.TrialFailed || row.Stopped == stat.Interrupted ||
			r.Header.Latency && row.Latency == nil
	})
}

// rows returns the rows of all studies.
func (r *Results) rows() []Row {
	var rows []Row
	for _, s := range r.Studies {
		rows = append(rows, s.Rows...)
	}
	return rows
}

// engine returns the engine that measured a row. [journal.Read] sees to it that there is one.
func (r *Results) engine(row Row) journal.Engine {
	i := slices.IndexFunc(r.Engines, func(e journal.Engine) bool { return e.Number == row.Engine })
	return r.Engines[i]
}

// measured returns the rows that have figures.
func measured(rows []Row) []Row { return only(rows, Row.measured) }

// only returns the values for which keep is true; nil when there are none.
func only[T any](values []T, keep func(T) bool) []T {
	var kept []T
	for _, v := range values {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// unmeasured returns the rows that have no figures in words, each with its status; empty when there
// are none.
func unmeasured(rows []Row) string {
	var words []string
	for _, r := range rows {
		if !r.measured() {
			words = append(words, fmt.Sprintf("%s (%s)", r.Point, r.Status))
		}
	}
	return format.List(words)
}
