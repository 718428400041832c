package race

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/stat"
	"vllmgo/internal/plain"
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
	if r.Damaged {
		text.WriteString(format.Damaged)
	}
	_, err := io.WriteString(plain.Writer(w), text.String())
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
	var columns format.Columns[rateRow]
	columns.Add("point", func(row rateRow) string { return row.name })
	for i, c := range h.Contenders {
		columns.Add(c.Name+", "+r.mode(c), func(row rateRow) string { return row.rate(i) })
		if i > 0 {
			columns.Add(first+" ÷ "+c.Name, func(row rateRow) string { return format.Estimate(row.ratio(i), format.Ratio) })
		}
	}
	var rows []rateRow
	for _, p := range r.Points {
		rows = append(rows, rateRow{
			p.Point.String(),
			func(i int) string {
				return format.Known(p.Contenders[i].Rate.N > 0, format.Rate(p.Contenders[i].Rate.Value))
			},
			func(i int) stat.Estimate[float64] { return p.Contenders[i].Ratio },
		})
	}
	rows = append(rows, rateRow{
		"geometric mean",
		func(int) string { return "" },
		func(i int) stat.Estimate[float64] { return r.Overall[i].Ratio },
	})
	each := "round for round"
	if h.Reload {
		each = fmt.Sprintf("for each %d rounds, in which each contender is loaded first once", len(h.Contenders))
	}
	caption := fmt.Sprintf("Generated tok/s, medians over the rounds, and how many times faster %s is, %s, "+
		"with %s intervals", first, each, format.Percent(stat.Confidence, 0))
	return columns.WriteTable(w, caption, rows, 1)
}

// rateRow is a row of the table of rates: its name, and the figures of a contender.
type rateRow struct {
	name  string
	rate  func(contender int) string
	ratio func(contender int) stat.Estimate[float64]
}

// writeCosts prints what each contender cost over all points.
func (r *Result) writeCosts(w io.Writer) error {
	seconds := func(d time.Duration) string { return format.Known(d != 0, format.Seconds(d)) }
	var columns format.Columns[Overall]
	columns.Add("contender", func(o Overall) string { return o.Contender })
	columns.Add("points", func(o Overall) string { return strconv.Itoa(o.Points) })
	columns.Add("table s", func(o Overall) string { return seconds(o.Table) })
	columns.Add("load s", func(o Overall) string { return seconds(o.Load) })
	columns.Add("first token s", func(o Overall) string { return seconds(o.FirstToken) })
	columns.Add("front end MiB", func(o Overall) string {
		return format.Known(o.FrontEndMemory != 0, format.MiB(o.FrontEndMemory))
	})
	columns.Add("CPU ms a token", func(o Overall) string { return cpuCell(o.CPUPerToken) })
	columns.Add("outside LLM.generate", func(o Overall) string { return r.outside(o.Contender) })
	columns.Add("same tokens as "+r.first(), func(o Overall) string { return r.same(o.Contender) })
	const caption = "The whole table once, start-up to an engine and to its first token, and what was used"
	return columns.WriteTable(w, caption, r.Overall, 1)
}

// cpuCell returns a processor time in milliseconds. Below 1 ms it has two digits after the point:
// more would be noise.
func cpuCell(d time.Duration) string {
	if d < time.Millisecond {
		return format.Fixed(d.Seconds()*1000, 2)
	}
	return format.Milliseconds(d)
}

// first returns the name of the contender that the others are compared with.
func (r *Result) first() string { return r.Header.Contenders[0].Name }

// rounds describes how many rounds all contenders have, out of how many. It excludes contenders
// with a process for each point, because they have fewer rounds.
func (r *Result) rounds() string {
	// Rounds can have been added since the header was written.
	fewest, most := math.MaxInt, r.Header.Rounds
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
		text += ", loaded again for each"
	}
	return text
}

// mode returns the engine mode of a contender.
func (r *Result) mode(c Contender) string {
	if c.Kind == HTTP || c.Kind.perPoint() {
		// The server has no other mode, and vllm bench throughput runs with its default.
		return "own-process"
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
	return fmt.Sprintf("≤ %s (%s)", format.Percent(most, 2), point)
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
