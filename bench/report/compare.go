package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/format"
)

// Comparison compares the points that two runs have in common.
type Comparison struct {
	// Points are in the order of the first run.
	Points []PointComparison `json:"points"`
	// Notes say what else differs between the runs, which checks failed, and which points could not be compared.
	Notes []string `json:"notes,omitempty"`
}

// PointComparison compares a point's trials in two runs.
type PointComparison struct {
	Point workload.Point `json:"point"`
	// First and Second are the medians of the trials' times.
	First  stat.Estimate[time.Duration] `json:"first"`
	Second stat.Estimate[time.Duration] `json:"second"`
	// Comparison is the outcome; see [stat.Compare].
	stat.Comparison
}

// Compare compares two runs point by point. Points are the same when their study, value, label and work, the lengths of
// all requests, are. Their engines may differ, since that may be the question; the notes say so.
func Compare(first, second *Results) *Comparison {
	c := &Comparison{Notes: first.differences(second)}
	other := make(map[string]Row)
	for _, row := range second.rows() {
		other[identity(row.Point)] = row
	}
	var alone, prompts, failed []string
	for _, row := range first.rows() {
		match, found := other[identity(row.Point)]
		delete(other, identity(row.Point))
		if !found || row.Status != Measured || match.Status != Measured {
			alone = append(alone, row.Point.String())
			continue
		}
		c.Points = append(c.Points, PointComparison{
			Point: row.Point, First: row.Elapsed, Second: match.Elapsed, Comparison: stat.Compare(row.times(), match.times()),
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
	for _, note := range []struct {
		text   string
		points []string
	}{
		{"points that failed a check, so that what differs may be the machine: ", failed},
		{"points whose prompts differ: ", prompts},
		{"points without figures or without a match in the other run: ", alone},
	} {
		if note.points != nil {
			c.Notes = append(c.Notes, note.text+format.List(note.points))
		}
	}
	return c
}

// identity is the same for points that do the same work under the same name.
func identity(p workload.Point) string {
	return fmt.Sprint(p.ID(), p.Coordinates, p.Completions(), p.EachLength())
}

// differences are what two runs differ in besides their points.
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

// Write prints the comparison as a table, with notes below.
func (c *Comparison) Write(w io.Writer) error {
	var lines [][]string
	for _, p := range c.Points {
		interval := "–"
		if p.High > 0 {
			interval = fmt.Sprintf("%.3f–%.3f", p.Low, p.High)
		}
		lines = append(lines, []string{
			p.Point.String(), format.Seconds(p.First.Value), format.Seconds(p.Second.Value), fmt.Sprintf("%d, %d", p.First.N, p.Second.N),
			fmt.Sprintf("%.3f", p.Ratio), interval, fmt.Sprintf("%.2g", p.P), verdict(p.Comparison),
		})
	}
	var b strings.Builder
	header := []string{"point", "first s", "second s", "trials", "ratio", "99 % interval", "p", "the second is"}
	if err := format.Table(&b, "Times of the second run over those of the first", header, lines, 1); err != nil {
		return fmt.Errorf("bench: writing a table: %w", err)
	}
	for _, note := range c.Notes {
		fmt.Fprintf(&b, "Note: %s.\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict is the outcome in words.
func verdict(c stat.Comparison) string {
	switch {
	case !c.Differ:
		return "not shown to differ"
	case c.Ratio > 1:
		return fmt.Sprintf("%.1f %% slower", 100*(c.Ratio-1))
	}
	return fmt.Sprintf("%.1f %% faster", 100*(1-c.Ratio))
}
