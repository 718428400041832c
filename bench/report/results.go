package report

import (
	"fmt"
	"slices"

	"vllmgo/bench/internal/engines"
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
	// Recommendations rest on the rows that were measured and of which no trial failed. There are
	// none without two such rows whose requests have the same lengths.
	Recommendations []Recommendation `json:"recommendations"`
	// Problems are failures of whole engines, an end that the run did not come to, damage to the
	// journal, and characters that plots lack.
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
	// Finding is what the rows show about the swept parameter in words, with how certain that is.
	Finding string `json:"finding"`
	// Detail has the figures that the finding rests on, in words; empty when the rows have them.
	Detail string `json:"detail,omitempty"`
}

// New computes the results of a journal.
func New(j *journal.Journal) *Results {
	r := &Results{Header: j.Header, Limits: j.Limits, Engines: j.Engines, Unverified: j.Unverified}
	shared := sharing(j)
	for _, study := range j.Header.Studies {
		s := StudyResult{Study: study}
		for _, p := range study.Points {
			s.Rows = append(s.Rows, newRow(j, p, engines.Others(shared, p.ID(), j.Times)))
		}
		s.find()
		r.Studies = append(r.Studies, s)
	}
	r.Recommendations = r.recommend()
	for _, f := range j.Failures {
		if f.Point == nil {
			r.Problems = append(r.Problems, fmt.Sprintf("engine %d: %s", f.Engine, f.Reason))
		}
	}
	if !j.Ended {
		r.Problems = append(r.Problems, "the run did not come to its end")
	}
	if j.Damaged {
		r.Problems = append(r.Problems, "the journal's last line is damaged and was left out")
	}
	if note := lackingNote(r.plotTexts()...); note != "" {
		r.Problems = append(r.Problems, note)
	}
	return r
}

// sharing returns the points that share an engine; nothing when the run's rule does not pool the
// dependence of their trials.
func sharing(j *journal.Journal) []engines.Group {
	if !j.Header.Stopping.Pooled {
		return nil
	}
	groups, err := engines.Groups(j.Header.Studies, j.Header.EngineArgs)
	if err != nil {
		return nil // a run with such settings never began
	}
	return groups
}

// plotTexts returns the texts of the plots that come from the run.
func (r *Results) plotTexts() []string {
	texts := []string{r.plotTitle("")}
	for _, s := range r.Studies {
		texts = append(texts, s.Study.Parameter, s.Study.Unit)
		for _, row := range s.Rows {
			texts = append(texts, row.Point.String(), row.Name())
		}
	}
	return texts
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

// study returns the study of a row; the zero value when there is none.
func (r *Results) study(row Row) workload.Study {
	for _, s := range r.Studies {
		if s.Study.Name == row.Study {
			return s.Study
		}
	}
	return workload.Study{}
}

// measured returns the rows that have figures.
func measured(rows []Row) []Row { return only(rows, Row.measured) }

// sound returns the rows that have figures and no failed trial.
func sound(rows []Row) []Row { return only(rows, Row.sound) }

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

// failedLater returns the names of the rows that have figures from before a trial failed, as prose;
// empty when there are none.
func failedLater(rows []Row) string {
	var names []string
	for _, r := range rows {
		if r.measured() && !r.sound() {
			names = append(names, r.Point.String())
		}
	}
	return format.List(names)
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
