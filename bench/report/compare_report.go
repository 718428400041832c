package report

import (
	"bytes"
	"fmt"
	"io"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/stat"
	"vllmgo/internal/plain"
)

// shownDifference is the difference that a comparison says how to show, as a fraction.
const shownDifference = 0.03

// Write writes the comparison as a table of at most 80 columns, with the mean and the notes below
// it, in lines of at most width columns. first and second are the names of the runs.
func (c *Comparison) Write(w io.Writer, first, second string, width int) error {
	var b bytes.Buffer // whose writes do not fail
	line := func(text string) { fmt.Fprintln(&b, format.Wrap(text, width)) }
	line(c.title(first, second))
	header, rows := c.table()
	t := narrowTable{header: header, rows: rows, textColumns: 1}
	if err := t.write(&b, "", min(width, tableWidth)); err != nil {
		return fmt.Errorf("bench: writing a table: %w", err)
	}
	for _, text := range c.summary() {
		line(text)
	}
	for _, note := range c.Notes {
		line("Note: " + note + ".")
	}
	_, err := plain.Writer(w).Write(b.Bytes())
	return err
}

// WriteMarkdown writes the comparison as Markdown, for the description of a change: what Write
// says, with the notes folded.
func (c *Comparison) WriteMarkdown(w io.Writer, first, second string) error {
	var b bytes.Buffer // whose writes do not fail
	fmt.Fprintf(&b, "**%s**\n\n", format.Markdown(c.title(first, second)))
	for _, text := range c.summary() {
		fmt.Fprintf(&b, "%s\n\n", format.Markdown(text))
	}
	header, rows := c.table()
	if err := format.MarkdownTable(&b, header, rows, 1); err != nil {
		return fmt.Errorf("bench: writing a table: %w", err)
	}
	if len(c.Notes) > 0 {
		fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n\n", format.Count(len(c.Notes), "note"))
		for _, note := range c.Notes {
			fmt.Fprintf(&b, "- %s.\n", format.Markdown(note))
		}
		b.WriteString("\n</details>\n")
	}
	_, err := plain.Writer(w).Write(b.Bytes())
	return err
}

// title returns what the ratios are.
func (c *Comparison) title(first, second string) string {
	return fmt.Sprintf("Times of %s over those of %s", second, first)
}

// table returns the points as a table.
func (c *Comparison) table() (header []string, rows [][]string) {
	header = []string{"point", "trials", "ratio", "99 % interval", "verdict"}
	for _, p := range c.Points {
		rows = append(rows, []string{
			p.Point.String(), fmt.Sprintf("%d, %d", p.First.N, p.Second.N), format.Ratio(p.Ratio),
			ratioCell(p.Comparison), verdict(p.Comparison),
		})
	}
	return header, rows
}

// ratioCell returns the interval of a ratio.
func ratioCell(c stat.Comparison) string {
	return format.Known(c.High > 0, format.Ratio(c.Low)+"–"+format.Ratio(c.High))
}

// summary returns what the points say together, and how many trials would say more.
func (c *Comparison) summary() []string {
	if len(c.Points) == 0 {
		return []string{"Nothing in common: no point was measured in both runs."}
	}
	mean := c.Mean.comparison()
	text := fmt.Sprintf("Geometric mean over %s: %s", format.Count(len(c.Points), "point"), format.Ratio(mean.Ratio))
	if mean.High > 0 {
		text += fmt.Sprintf(" (%s)", ratioCell(mean))
	}
	texts := []string{fmt.Sprintf("%s, %s.", text, verdict(mean))}
	shown := format.Percent(shownDifference, 0)
	switch need := c.TrialsFor(shownDifference); {
	case need > mostNeeded:
		texts = append(texts, fmt.Sprintf("The times differ too much to show %s with %d trials.", shown, mostNeeded))
	case need > 0:
		texts = append(texts, fmt.Sprintf("Too few trials to show %s: use --trials %d.", shown, need))
	}
	return texts
}

// verdict returns the outcome in words.
func verdict(c stat.Comparison) string {
	switch {
	case c.High == 0:
		return "too few trials"
	case !c.Differ:
		return "not shown to differ"
	case c.Ratio > 1:
		return format.Percent(c.Ratio-1, 1) + " slower"
	}
	return format.Percent(1-c.Ratio, 1) + " faster"
}
