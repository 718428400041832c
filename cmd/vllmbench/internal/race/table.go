package race

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/internal/format"
)

// WriteFiles writes what is made from the journal into a directory: race.json and race.txt.
func (r *Result) WriteFiles(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var report strings.Builder
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "race.json"), append(text, '\n'), 0o644),
		r.Write(&report),
		os.WriteFile(filepath.Join(dir, "race.txt"), []byte(report.String()), 0o644),
	)
}

// Write prints the race's tables.
func (r *Result) Write(w io.Writer) error {
	h := r.Header
	first := h.Contenders[0].Name
	fmt.Fprintf(w, "Race: %s, %s, engine %s, TP %d, preset %s, %s\n%s\n%s\n\n", report.ModelTitle(h.Model, h.RandomWeights), h.Device,
		h.EngineArgs.EngineMode, max(1, h.EngineArgs.TensorParallelSize), h.Preset, r.rounds(), h.Machine, strings.Join(h.Command, " "))

	header := []string{"point"}
	for i, c := range h.Contenders {
		header = append(header, fmt.Sprintf("%s, %s", c.Name, r.mode(c)))
		if i > 0 {
			header = append(header, first+" ÷ "+c.Name)
		}
	}
	var rows [][]string
	for _, p := range r.Points {
		row := []string{p.Point.String()}
		for i, f := range p.Contenders {
			row = append(row, rate(f.Rate))
			if i > 0 {
				row = append(row, ratio(f.Ratio))
			}
		}
		rows = append(rows, row)
	}
	mean := []string{"geometric mean"}
	for i, o := range r.Overall {
		mean = append(mean, "")
		if i > 0 {
			mean = append(mean, ratio(o.Ratio))
		}
	}
	each := "round for round"
	if h.Reload {
		each = fmt.Sprintf("for each %d rounds, in which each contender is loaded first once", len(h.Contenders))
	}
	if err := format.Table(w, "Generated tok/s, medians over the rounds, and how many times faster "+first+" is, "+each+", with 95 % intervals",
		header, append(rows, mean), 1); err != nil {
		return err
	}

	rows = nil
	for _, o := range r.Overall {
		rows = append(rows, []string{o.Contender, fmt.Sprint(o.Points), duration(o.Table), duration(o.Load), duration(o.FirstToken),
			memory(o.FrontEndMemory), fmt.Sprintf("%.2f", float64(o.CPUPerToken)/float64(time.Millisecond)), r.outside(o.Contender), r.same(o.Contender)})
	}
	if err := format.Table(w, "The whole table once, start-up to an engine and to its first token, and what was used", []string{"contender", "points", "table s",
		"load s", "first token s", "front end MiB", "CPU ms a token", "outside LLM.generate", "same tokens as " + first}, rows, 1); err != nil {
		return err
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "%s did not take part to the end: %s\n", f.Contender, f.Reason)
	}
	return nil
}

// rounds says how many rounds all contenders have, of those that there were to be; but for contenders with a process for each
// point, which have rounds of their own.
func (r *Result) rounds() string {
	fewest, most := math.MaxInt, r.Header.Rounds // a race that went on may have more than its header says
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

// mode is the engine mode of a contender.
func (r *Result) mode(c Contender) string {
	if c.Kind == HTTP || c.Kind.perPoint() {
		return "own-process" // the server knows no other, and vllm bench throughput is run as people do
	}
	if mode, ok := c.Engine["engine_mode"]; ok {
		return fmt.Sprint(mode)
	}
	return string(r.Header.EngineArgs.EngineMode)
}

// outside is the greatest share of time outside LLM.generate over the points of 16 requests or more.
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
		return "–"
	}
	return fmt.Sprintf("≤ %.2f %% (%s)", 100*most, point)
}

// same says in how many passes the contender generated the first one's tokens.
func (r *Result) same(contender string) string {
	same, compared := 0, 0
	for _, p := range r.Points {
		for _, f := range p.Contenders {
			if f.Contender == contender {
				same, compared = same+f.SameOutputs, compared+f.Compared
			}
		}
	}
	if compared == 0 || contender == r.Header.Contenders[0].Name {
		return "–"
	}
	return fmt.Sprintf("%d of %d passes", same, compared)
}

func rate(e stat.Estimate[float64]) string {
	if e.N == 0 {
		return "–"
	}
	return number(e.Value)
}

func ratio(e stat.Estimate[float64]) string {
	switch e.N {
	case 0:
		return "–"
	case 1:
		return fmt.Sprintf("%.3f", e.Value)
	}
	text := fmt.Sprintf("%.3f [%.3f, %.3f]", e.Value, e.Low, e.High)
	if e.Confidence < 0.95 {
		text += fmt.Sprintf(" (%.0f %%)", 100*e.Confidence)
	}
	return text
}

// number has three digits or more.
func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func duration(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

func memory(bytes int64) string {
	if bytes == 0 {
		return "–"
	}
	return fmt.Sprint(bytes >> 20)
}
