package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/internal/same"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Comparison compares the points that two runs have in common.
type Comparison struct {
	// Points are in the order of the first run.
	Points []PointComparison `json:"points"`
	// Mean is the geometric mean of the points' ratios.
	Mean GeometricMean `json:"mean,omitzero"`
	// Unlike names what makes the runs unlike: their models, their machines or their prompts. What
	// differs may then not be what was changed.
	Unlike []string `json:"unlike,omitempty"`
	// Notes list what else differs between the runs, which checks failed, and which points could
	// not be compared.
	Notes []string `json:"notes,omitempty"`
}

// PointComparison compares the trials of a point in two runs.
type PointComparison struct {
	Point workload.Point `json:"point"`
	// First and Second are the medians of the trials' times.
	First  stat.Estimate[time.Duration] `json:"first"`
	Second stat.Estimate[time.Duration] `json:"second"`
	// Comparison is the outcome; see [stat.Compare].
	stat.Comparison
}

// Compare compares two runs point by point. Two points are the same when their study, value,
// coordinates and the lengths of all requests are. Everything else may differ, because that may be
// the question; the notes name each setting that does, with both values, and Unlike says whether
// the two runs are of unlike models, machines or prompts.
func Compare(first, second *Results) *Comparison {
	c := new(Comparison)
	for _, run := range []struct {
		name string
		*Results
	}{{"first", first}, {"second", second}} {
		for _, problem := range run.Problems {
			c.Notes = append(c.Notes, fmt.Sprintf("the %s run: %s", run.name, problem))
		}
	}
	ofRuns := first.runSettings().differences(second.runSettings())
	for _, d := range ofRuns {
		c.Notes = append(c.Notes, difference(d))
	}
	other := make(map[string]Row)
	for _, row := range second.rows() {
		other[identity(row.Point)] = row
	}
	var pairs [][2]Row
	var alone []string
	for _, row := range first.rows() {
		match := other[identity(row.Point)]
		delete(other, identity(row.Point))
		if !row.measured() || !match.measured() {
			alone = append(alone, row.Point.String())
			continue
		}
		pairs = append(pairs, [2]Row{row, match})
		c.Points = append(c.Points, PointComparison{
			Point: row.Point, First: row.Elapsed, Second: match.Elapsed,
			Comparison: stat.Compare(row.times(), match.times()),
		})
	}
	for _, row := range second.rows() {
		if _, left := other[identity(row.Point)]; left {
			alone = append(alone, row.Point.String())
		}
	}
	c.Mean = newGeometricMean(c.Points)
	c.findUnlike(first.Header, second.Header, pairs)
	c.noteSettings(first, second, pairs, ofRuns)
	c.notePairs(pairs)
	c.note("points without figures or without a match in the other run: ", alone)
	return c
}

// findUnlike finds what makes the runs unlike.
func (c *Comparison) findUnlike(first, second journal.Header, pairs [][2]Row) {
	if first.Model != second.Model || first.RandomWeights != second.RandomWeights {
		c.Unlike = append(c.Unlike, fmt.Sprintf("the models %s and %s",
			format.ModelTitle(first.Model, first.RandomWeights), format.ModelTitle(second.Model, second.RandomWeights)))
	}
	a, b := first.Machine, second.Machine
	if a.CPU != b.CPU || a.Cores != b.Cores || !slices.Equal(a.GPUs, b.GPUs) {
		c.Unlike = append(c.Unlike, fmt.Sprintf("the machines %s and %s", a, b))
	}
	if slices.ContainsFunc(pairs, func(pair [2]Row) bool { return !samePrompts(pair[0].Trials, pair[1].Trials) }) {
		c.Unlike = append(c.Unlike, "their prompts")
	}
}

// noteSettings notes the settings that the points of two runs do not agree on, each once, with the
// points unless it is all. ofRuns are the differences of the whole runs.
func (c *Comparison) noteSettings(first, second *Results, pairs [][2]Row, ofRuns []same.Difference) {
	var order []same.Difference
	points := make(map[same.Difference][]string)
	for _, pair := range pairs {
		for _, d := range first.pointSettings(pair[0]).differences(second.pointSettings(pair[1])) {
			inRun := d // an engine has the arguments of all engines too
			inRun.Name = strings.Replace(d.Name, "engine.args.", "engine_args.", 1)
			if slices.Contains(ofRuns, inRun) {
				continue
			}
			if points[d] == nil {
				order = append(order, d)
			}
			points[d] = append(points[d], pair[0].Point.String())
		}
	}
	for _, d := range order {
		text := difference(d)
		if len(points[d]) < len(pairs) {
			text += ", at " + format.List(points[d])
		}
		c.Notes = append(c.Notes, text)
	}
}

// notePairs notes the points that failed a check, those whose trials depend on the ones before, and
// those whose trials had different prompts.
func (c *Comparison) notePairs(pairs [][2]Row) {
	var prompts, failed, dependent []string
	for _, pair := range pairs {
		point := pair[0].Point.String()
		if pair[0].Dependence.Seen || pair[1].Dependence.Seen {
			dependent = append(dependent, point)
		}
		if !samePrompts(pair[0].Trials, pair[1].Trials) {
			prompts = append(prompts, point)
		}
		for _, check := range slices.Concat(pair[0].failedChecks(), pair[1].failedChecks()) {
			if text := fmt.Sprintf("%s (%s)", point, check.Name); !slices.Contains(failed, text) {
				failed = append(failed, text)
			}
		}
	}
	c.note("points that failed a check, so that what differs may be the machine: ", failed)
	c.note("points whose trials may depend on the ones before, so that their p may be too small: ", dependent)
	c.note("points whose prompts differ: ", prompts)
}

// difference returns a difference in words.
func difference(d same.Difference) string {
	first, second := d.Values()
	return fmt.Sprintf("%s: %s in the first run, %s in the second", d.Name, first, second)
}

// note adds a note about points, if there are any.
func (c *Comparison) note(text string, points []string) {
	if len(points) > 0 {
		c.Notes = append(c.Notes, text+format.List(points))
	}
}

// identity returns a text that is the same for points that do the same work under the same name.
func identity(p workload.Point) string {
	return fmt.Sprint(p.ID(), p.Coordinates, p.Completions(), lengthsText(p))
}

// lengthsText returns the lengths of all requests as a text that is short when they are alike.
func lengthsText(p workload.Point) string {
	if p.Lengths == nil {
		return fmt.Sprint(p.Requests, workload.RequestLength{Input: p.InputLen, Output: p.OutputLen})
	}
	var b strings.Builder
	for i := 0; i < len(p.Lengths); {
		first := i
		for i < len(p.Lengths) && p.Lengths[i] == p.Lengths[first] {
			i++
		}
		fmt.Fprint(&b, i-first, p.Lengths[first])
	}
	return b.String()
}
