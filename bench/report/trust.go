package report

import (
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
)

// mismatches are the checks that compare what the engine did with what it was asked for. Figures of
// a point that fails one are those of other work.
var mismatches = []string{journal.CheckPrompts, journal.CheckCounts, journal.CheckFinish, journal.CheckCache}

// trust returns in words whether the figures of the run can be trusted, and why not.
func (r *Results) trust() string {
	all := r.rows()
	rows := measured(all)
	if len(rows) == 0 {
		return "none, because nothing was measured."
	}
	var doubts []string
	doubt := func(rows []Row, what string) {
		if len(rows) > 0 {
			doubts = append(doubts, fmt.Sprintf("%s at %d of %s", what, len(rows), format.Count(len(all), "point")))
		}
	}
	wrong := only(all, Row.mismatched)
	few := only(rows, func(row Row) bool { return !row.certain() })
	doubt(wrong, "other work than was asked for")
	doubt(only(all, func(row Row) bool { return !row.sound() && !row.mismatched() }), "no figures or a failed trial")
	doubt(few, fmt.Sprintf("fewer than the %d independent trials of a 95 %% interval", leastTrials))
	doubt(only(rows, func(row Row) bool { return len(row.failedChecks()) > 0 && !row.mismatched() }),
		"a failed check ("+checkNames(rows)+")")
	if slices.ContainsFunc(r.Problems, func(problem string) bool { return !strings.HasPrefix(problem, lackingPrefix) }) {
		doubts = append(doubts, "the run had problems")
	}
	widest := 0.0
	for _, row := range rows {
		if row.certain() {
			widest = max(widest, row.Elapsed.Precision())
		}
	}
	known := fmt.Sprintf("medians known within %s", format.Percent(widest, 1))
	target := r.Header.Stopping.Target
	if target > 0 && widest > target {
		known += fmt.Sprintf(", where %s was the target", format.Percent(target, 1))
	}
	switch {
	case len(doubts) == 0 && (target == 0 || widest <= target):
		return fmt.Sprintf("good. All %s passed all checks, %s.", format.Count(len(all), "point"), known)
	case len(wrong) > 0 || 2*len(few) > len(rows):
		return "little. " + format.Title(strings.Join(doubts, "; ")) + "."
	}
	if len(few) < len(rows) {
		doubts = append(doubts, known)
	}
	return "some. " + format.Title(strings.Join(doubts, "; ")) + "."
}

// mismatched reports whether the row failed a check of mismatches.
func (r Row) mismatched() bool {
	return slices.ContainsFunc(r.failedChecks(), func(c Check) bool { return slices.Contains(mismatches, c.Name) })
}

// checkNames returns the names of the checks that rows failed, as prose.
func checkNames(rows []Row) string {
	var names []string
	for _, row := range rows {
		for _, c := range row.failedChecks() {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	return format.List(names)
}
