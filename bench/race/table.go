package race

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"vllmgo/bench/stat"
	"vllmgo/internal/format"
)

// Write prints the race's tables.
func (r *Result) Write(w io.Writer) error {
	var text strings.Builder
	text.WriteString(r.title())
	if err := errors.Join(r.writeRates(&text), r.writeCosts(&text)); err != nil {
		return err
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&text, "%s did not take part to the end: %s\n", f.Contender, f.Reason)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// title describes the race: model, device, engine, rounds, machine and command.
func (r *Result) title() string {
	h := r.Header
	return fmt.Sprintf("Race: %s, %s, engine %s, TP %d, preset %s, %s\n%s\n%s\n\n",
		format.ModelTitle(h.Model, h.RandomWeights), h.Device, h.EngineArgs.EngineMode,
		max(1, h.EngineArgs.TensorParallelSize), h.Preset, r.rounds(), h.Machine, strings.Join(h.Command, " "))
}

// writeRates prints each contender's rate and ratio at each point.
func (r *Result) writeRates(w io.Writer) error {
	h, first := r.Header, r.first()
	header, mean := []string{"point"}, []string{"geometric mean"}
	for i, c := range h.Contenders {
		header, mean = append(header, c.Name+", "+r.mode(c)), append(mean, "")
		if i > 0 {
			header, mean = append(header, first+" ÷ "+c.Name), append(mean, formatRatio(r.Overall[i].Ratio))
		}
	}
	var rows [][]string
	for _, p := range r.Points {
		row := []string{p.Point.String()}
		for i, f := range p.Contenders {
			row = append(row, formatRate(f.Rate))
			if i > 0 {
				row = append(row, formatRatio(f.Ratio))
			}
		}
		rows = append(rows, row)
	}
	each := "round for round"
	if h.Reload {
		each = fmt.Sprintf("for each %d rounds, in which each contender is loaded first once", len(h.Contenders))
	}
	caption := fmt.Sprintf("Generated tok/s, medians over the rounds, and how many times faster %s is, %s, "+
		"with 95 %% intervals", first, each)
	return format.Table(w, caption, header, append(rows, mean), 1)
}

// costColumn is a column of the table of what the contenders cost.
type costColumn struct {
	header string
	cell   func(o Overall) string
}

// writeCosts prints what each contender cost over all points.
func (r *Result) writeCosts(w io.Writer) error {
	columns := []costColumn{
		{"contender", func(o Overall) string { return o.Contender }},
		{"points", func(o Overall) string { return fmt.Sprint(o.Points) }},
		{"table s", func(o Overall) string { return formatSeconds(o.Table) }},
		{"load s", func(o Overall) string { return formatSeconds(o.Load) }},
		{"first token s", func(o Overall) string { return formatSeconds(o.FirstToken) }},
		{"front end MiB", func(o Overall) string { return formatMiB(o.FrontEndMemory) }},
		{"CPU ms a token", func(o Overall) string { return formatMilliseconds(o.CPUPerToken) }},
		{"outside LLM.generate", func(o Overall) string { return r.outside(o.Contender) }},
		{"same tokens as " + r.first(), func(o Overall) string { return r.same(o.Contender) }},
	}
	var header []string
	for _, c := range columns {
		header = append(header, c.header)
	}
	var rows [][]string
	for _, o := range r.Overall {
		var row []string
		for _, c := range columns {
			row = append(row, c.cell(o))
		}
		rows = append(rows, row)
	}
	const caption = "The whole table once, start-up to an engine and to its first token, and what was used"
	return format.Table(w, caption, header, rows, 1)
}

// first returns the name of the contender that the others are compared with.
func (r *Result) first() string { return r.Header.Contenders[0].Name }

// rounds describes how many rounds all contenders have, out of how many. It excludes contenders
// with a process for each point, because they have fewer rounds.
func (r *Result) rounds() string {
	fewest, most := math.MaxInt, r.Header.Rounds // rounds can have been added since the header was written
	for _, p := range r.Points {
		for i, f := range p.Contenders {
			if !r.Header.Contenders[i].Kind.perPoint() {
				fewest, most = min(fewest, f.Rate.N), max(most, f.Rate.N)
			}
		}
	}
	text := fmt.Sprintf("%d rounds", most)
	if fewest < most {
		text = fmt.Sprintf("%d or more of %d rounds", fewest, most)
	}
	if r.Header.Reload {
		text += ", loaded anew for each"
	}
	return text
}

// mode returns the engine mode of a contender.
func (r *Result) mode(c Contender) string {
	if c.Kind == HTTP || c.Kind.perPoint() {
		return "own-process" // the server has no other, and vllm bench throughput runs with its default
	}
	if mode, ok := c.Engine["engine_mode"]; ok {
		return fmt.Sprint(mode)
	}
	return string(r.Header.EngineArgs.EngineMode)
}

// outside describes the greatest share of time outside LLM.generate over the points with at least
// 16 requests.
func (r *Result) outside(contender string) string {
	most, point := 0.0, ""
	for _, p := range r.Points {
		for _, f := range p.Contenders {
			if f.Contender == contender && f.Outside.N > 0 && p.Requests >= 16 && f.Outside.Value >= most {
				most, point = f.Outside.Value, p.Point.String()
			}
		}
	}
	if point == "" {
		return format.None
	}
	return fmt.Sprintf("≤ %.2f %% (%s)", 100*most, point)
}

// same describes in how many passes the contender generated the same tokens as the first.
func (r *Result) same(contender string) string {
	same, compared := 0, 0
	for _, p := range r.Points {
		for _, f := range p.Contenders {
			if f.Contender == contender {
				same, compared = same+f.SameOutputs, compared+f.Compared
			}
		}
	}
	if compared == 0 || contender == r.first() {
		return format.None
	}
	return fmt.Sprintf("%d of %d passes", same, compared)
}

// formatRate returns a rate with three digits, or more if it has more before the point.
func formatRate(e stat.Estimate[float64]) string {
	switch {
	case e.N == 0:
		return format.None
	case e.Value >= 100:
		return fmt.Sprintf("%.0f", e.Value)
	}
	return fmt.Sprintf("%.3g", e.Value)
}

// formatRatio returns a ratio with its interval, and the interval's confidence if that is below 95
// %.
func formatRatio(e stat.Estimate[float64]) string {
	return format.Estimate(e, func(v float64) string { return fmt.Sprintf("%.3f", v) })
}

// formatSeconds returns a time in seconds with one decimal.
func formatSeconds(d time.Duration) string {
	if d == 0 {
		return format.None
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

// formatMilliseconds returns a time in milliseconds with two decimals.
func formatMilliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
}

// formatMiB returns a size in whole MiB, rounded down.
func formatMiB(bytes int64) string {
	if bytes == 0 {
		return format.None
	}
	return fmt.Sprint(bytes >> 20)
}
