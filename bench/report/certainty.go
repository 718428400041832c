package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Findings and recommendations compare rows by the 95 % intervals of their medians. Two rows differ
// when both have such an interval and the two do not overlap. What they do not decide is said with
// the number of trials that would.

// beyond is what is said of a difference that the intervals show.
const beyond = "beyond the 95 % intervals"

// mostNeeded is the greatest number of trials that is advised. More are no way to tell rows apart.
const mostNeeded = 1000

// mostNamed is the greatest number of rows that a sentence names. More are counted.
const mostNamed = 3

// leastTrials is the least number of trials whose median has an interval with 95 % confidence.
var leastTrials = func() int {
	values := []float64{0}
	for stat.Median(values).Confidence < stat.Confidence {
		values = append(values, 0)
	}
	return len(values)
}()

// requestRate is the rate of a single request: what a caller waits for. Its inverse is
// [Row.perToken].
func requestRate(p workload.Point, elapsed time.Duration) float64 {
	return p.GeneratedRate(elapsed) / float64(p.Requests*p.Completions())
}

// certain reports whether the row's median has an interval with 95 % confidence.
func (r Row) certain() bool { return r.Elapsed.Confidence >= stat.Confidence }

// above reports whether a rate of the row is higher than that of another, beyond the intervals.
func (r Row) above(other Row, of rate) bool {
	return r.certain() && other.certain() && r.estimate(of).Low > other.estimate(of).High
}

// contest is which of some rows has the highest rate.
type contest struct {
	of     rate
	best   Row   // whose median is the highest
	rivals []Row // the others that may be as fast
	all    bool  // all the others are rivals
}

// newContest compares rows, of which there must be one.
func newContest(rows []Row, of rate) contest {
	c := contest{of: of, best: slices.MaxFunc(rows, func(a, b Row) int {
		return compareRates(a, b, of)
	})}
	for _, row := range rows {
		if row.ID() != c.best.ID() && !c.best.above(row, of) {
			c.rivals = append(c.rivals, row)
		}
	}
	c.all = len(c.rivals) == len(rows)-1
	return c
}

// decided reports whether no other row may be as fast as the best.
func (c contest) decided() bool { return len(c.rivals) == 0 }

// certainty returns how sure it is that the best is the best: "beyond the 95 % intervals", or "not
// decided against 32 and 64: 8 trials, needs about 20".
func (c contest) certainty() string {
	if c.decided() {
		return beyond
	}
	need := 0
	for _, rival := range c.rivals {
		need = max(need, needed(c.best, rival, c.of))
	}
	against := " against " + names(c.rivals)
	switch {
	case c.all && len(c.rivals) > 1:
		against = ""
	case len(c.rivals) > mostNamed:
		against = fmt.Sprintf(" against %d others", len(c.rivals))
	}
	return undecided(against, need, append(c.rivals, c.best)...)
}

// undecided returns that rows do not decide something, with the number of trials that they need.
func undecided(what string, need int, rows ...Row) string {
	return fmt.Sprintf("not decided%s: %s, needs %s", what, trialCounts(rows), neededText(need))
}

// trialCounts returns the numbers of the rows' trials in words, such as "1 to 3 trials".
func trialCounts(rows []Row) string {
	least, most := len(rows[0].Trials), 0
	for _, row := range rows {
		least, most = min(least, len(row.Trials)), max(most, len(row.Trials))
	}
	if least == most {
		return format.Count(most, "trial")
	}
	return fmt.Sprintf("%d to %s", least, format.Count(most, "trial"))
}

// neededText returns a number of needed trials in words.
func neededText(need int) string {
	switch {
	case need > mostNeeded:
		return fmt.Sprintf("more than %d", mostNeeded)
	case need == leastTrials:
		return fmt.Sprint(need)
	}
	return fmt.Sprintf("about %d", need)
}

// needed returns how many trials a row needs for a rate above that of another.
func needed(higher, lower Row, of rate) int {
	if need := max(higher.neededForInterval(), lower.neededForInterval()); need > 0 {
		return need
	}
	h, l := higher.estimate(of), lower.estimate(of)
	n := max(len(higher.Trials), len(lower.Trials))
	return neededFor(n, h.Value-h.Low+l.High-l.Value, h.Value-l.Value)
}

// neededForInterval returns how many trials the row needs for an interval with 95 % confidence; 0
// when it has one.
func (r Row) neededForInterval() int {
	switch {
	case r.certain():
		return 0
	case len(r.Trials) < leastTrials:
		return leastTrials
	}
	return int(math.Ceil(float64(len(r.Trials)*leastTrials) / float64(max(1, r.Dependence.Independent))))
}

// neededFor returns how many trials make intervals, which reach so far towards each other with n
// trials, as narrow as a gap. The width of an interval goes with 1/√n.
func neededFor(n int, reach, gap float64) int {
	return max(n+1, int(math.Ceil(min(mostNeeded+1, float64(n)*(reach/gap)*(reach/gap)))))
}

// names returns what to call rows, as prose: by their values where they are of one study.
func names(rows []Row) string {
	of := Row.Name
	if slices.ContainsFunc(rows, func(row Row) bool { return row.Study != rows[0].Study }) {
		of = func(row Row) string { return row.Point.String() }
	}
	var texts []string
	for _, row := range rows {
		texts = append(texts, of(row))
	}
	return format.List(texts)
}

// doubtful returns a sentence that names the rows that failed a check, after a space; nothing when
// there are none.
func doubtful(rows []Row) string {
	failed := only(rows, func(row Row) bool { return len(row.failedChecks()) > 0 })
	switch {
	case len(failed) == 0:
		return ""
	case len(failed) == len(rows) && len(rows) > 1:
		return fmt.Sprintf(" With care, because every row failed a check (%s).", checkNames(rows))
	}
	return fmt.Sprintf(" With care, because a check failed (%s): %s.", checkNames(failed), names(failed))
}
