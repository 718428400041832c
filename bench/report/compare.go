package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/plain"
)

// Comparison compares the points that two runs have in common.
type Comparison struct {
	// Points are in the order of the first run.
	Points []PointComparison `json:"points"`
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
// coordinates and the lengths of all requests are. Their engines may differ, because that may be
// the question; the notes say so.
func Compare(first, second *Results) *Comparison {
	c := &Comparison{Notes: first.differences(second)}
	other := make(map[string]Row)
	for _, row := range second.rows() {
		other[identity(row.Point)] = row
	}
	var alone, prompts, failed []string
	for _, row := range first.rows() {
		match := other[identity(row.Point)]
		delete(other, identity(row.Point))
		if !row.measured() || !match.measured() {
			alone = append(alone, row.Point.String())
			continue
		}
		c.Points = append(c.Points, PointComparison{
			Point: row.Point, First: row.Elapsed, Second: match.Elapsed,
			Comparison: stat.Compare(row.times(), match.times()),
		})
		if row.Trials[0].Ledger.PromptsSHA256 != match.Trials[0].Ledger.PromptsSHA256 {
			prompts = append(prompts, row.Point.String())
		}
		for _, check := range slices.Concat(row.failedChecks(), match.failedChecks()) {
			if text := fmt.Sprintf("%s (%s)", row.Point, check.Name); !slices.Contains(failed, text) {
				failed = append(failed, text)
			}
		}
	}
	for _, row := range second.rows() {
		if _, left := other[identity(row.Point)]; left {
			alone = append(alone, row.Point.String())
		}
	}
	c.note("points that failed a check, so that what differs may be the machine: ", failed)
	c.note("points whose prompts differ: ", prompts)
	c.note("points without figures or without a match in the other run: ", alone)
	return c
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

// differences returns what differs between two runs besides their points.
func (r *Results) differences(other *Results) []string {
	var notes []string
	for _, d := range []struct {
		what string
		of   func(*Results) string
	}{
		{"machine", func(r *Results) string { return r.Header.Machine.String() }},
		{"model", (*Results).model},
		{"setting", (*Results).setting},
		{"versions", (*Results).versions},
		{"warm-up", func(r *Results) string { return string(r.Header.WarmUp) }},
	} {
		if a, b := d.of(r), d.of(other); a != b {
			notes = append(notes, fmt.Sprintf("%s: %s in the first run, %s in the second", d.what, a, b))
		}
	}
	return notes
}

// Write writes the comparison as a table, with the notes below it.
func (c *Comparison) Write(w io.Writer) error {
	var columns format.Columns[PointComparison]
	columns.Add("point", func(p PointComparison) string { return p.Point.String() })
	columns.Add("first s", func(p PointComparison) string { return format.Seconds(p.First.Value) })
	columns.Add("second s", func(p PointComparison) string { return format.Seconds(p.Second.Value) })
	columns.Add("trials", func(p PointComparison) string { return fmt.Sprintf("%d, %d", p.First.N, p.Second.N) })
	columns.Add("ratio", func(p PointComparison) string { return fmt.Sprintf("%.3f", p.Ratio) })
	columns.Add("99 % interval", func(p PointComparison) string {
		return format.Known(p.High > 0, fmt.Sprintf("%.3f–%.3f", p.Low, p.High))
	})
	columns.Add("p", func(p PointComparison) string { return fmt.Sprintf("%.2g", p.P) })
	columns.Add("the second is", func(p PointComparison) string { return verdict(p.Comparison) })
	var b bytes.Buffer // whose writes do not fail
	if err := columns.WriteTable(&b, "Times of the second run over those of the first", c.Points, 1); err != nil {
		return fmt.Errorf("bench: writing a table: %w", err)
	}
	for _, note := range c.Notes {
		fmt.Fprintf(&b, "Note: %s.\n", note)
	}
	_, err := plain.Writer(w).Write(b.Bytes())
	return err
}

// verdict returns the outcome in words.
func verdict(c stat.Comparison) string {
	switch {
	case !c.Differ:
		return "not shown to differ"
	case c.Ratio > 1:
		return format.Percent(c.Ratio-1, 1) + " slower"
	}
	return format.Percent(1-c.Ratio, 1) + " faster"
}
