package bench

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/plain"
)

// progress prints how far a run is: a line for each event and, on a terminal, a last line that says
// what is going on.
//
// The progress bars of other packages predict from the time of each unit. Here an ETA must tell
// loading from generating, and one batch size from another; see [eta].
type progress struct {
	w        io.Writer
	terminal bool
	eta      eta
	end      time.Time // of the budget; zero: none
	done     int       // trials
	left     map[workload.PointID]*workLeft
}

// workLeft is what is left to do for a point, at most.
type workLeft struct {
	trials        int
	steps, tokens float64 // of one pass
}

// newProgress returns the progress of the points of groups, after what was measured in the past.
func newProgress(w io.Writer, groups []engines.Group, s stat.Stopping, past *journal.Journal) *progress {
	if w == nil {
		w = io.Discard
	}
	file, ok := w.(*os.File)
	p := &progress{
		w:        w,
		terminal: ok && term.IsTerminal(int(file.Fd())),
		left:     make(map[workload.PointID]*workLeft),
		done:     len(past.Trials),
	}
	if s.Budget > 0 {
		p.end = time.Now().Add(s.Budget - past.Spent())
	}
	p.eta.loads = len(groups)
	for _, g := range groups {
		for _, point := range g.Points {
			left := workLeft{trials: s.MaxTrials - len(past.Times(point.ID()))}
			left.steps, left.tokens = work(point.Requests, point, g.Args.MaxNumSeqs)
			p.left[point.ID()] = &left
		}
	}
	return p
}

// stepCost is the cost of an engine step, in tokens: roughly, from runs on CPUs and GPUs. Only the
// sharing of the budget depends on it.
const stepCost = 40

// deadline returns the deadline of the first group's trials; zero without a budget. ready is the
// time from the loading of the group's engine until its trials. deadline reserves that time for
// each other engine too. The groups share the rest of the budget by what they have to compute.
func (p *progress) deadline(groups []engines.Group, ready time.Duration) time.Time {
	if p.end.IsZero() {
		return p.end
	}
	var all, first float64
	for i, g := range groups {
		for _, point := range g.Points {
			steps, tokens := work(point.Requests, point, g.Args.MaxNumSeqs)
			all += stepCost*steps + tokens
		}
		if i == 0 {
			first = all
		}
	}
	left := time.Until(p.end) - ready*time.Duration(len(groups)-1)
	return time.Now().Add(time.Duration(float64(left) * first / all))
}

// loaded notes that an engine was loaded in the time d. If loading failed, d is 0.
func (p *progress) loaded(d time.Duration) {
	p.eta.loads = max(0, p.eta.loads-1)
	if d > 0 {
		p.eta.load = d
	}
}

// line prints a line that stays.
func (p *progress) line(format string, args ...any) {
	fmt.Fprint(p.w, p.clear(), plain.Text(fmt.Sprintf(format, args...)), "\n")
}

// status prints what is going on, on a terminal only.
func (p *progress) status(format string, args ...any) {
	if p.terminal {
		fmt.Fprint(p.w, p.clear(), plain.Text(fmt.Sprintf(format, args...)))
	}
}

// clear returns what erases the status.
func (p *progress) clear() string {
	if p.terminal {
		return "\r\x1b[K"
	}
	return ""
}

// pass takes in a pass of some of a point's requests.
func (p *progress) pass(point workload.Point, requests, maxNumSeqs int, elapsed time.Duration) {
	steps, tokens := work(requests, point, maxNumSeqs)
	p.eta.observe(steps, tokens, elapsed)
}

// drop plans no further trials of a point.
func (p *progress) drop(point workload.Point) { p.left[point.ID()].trials = 0 }

// trialDone prints the time of the latest of a point's trials, the precision of the median of all,
// and how long the rest takes at most.
func (p *progress) trialDone(point workload.Point, latest time.Duration, median stat.Estimate[time.Duration]) {
	p.done++
	if left := p.left[point.ID()]; left.trials > 0 {
		left.trials--
	}
	trials, steps, tokens := 0, 0.0, 0.0
	for _, left := range p.left {
		trials += left.trials
		steps += float64(left.trials) * left.steps
		tokens += float64(left.trials) * left.tokens
	}
	text := fmt.Sprintf("%s generated tok/s, %s s", format.Rate(point.GeneratedRate(latest)), format.Seconds(latest))
	if median.Confidence >= stat.Confidence {
		text += ", median within " + format.Percent(median.Precision(), 1)
	}
	if d, ok := p.eta.left(steps, tokens); ok && trials > 0 {
		if !p.end.IsZero() {
			d = max(0, min(d, time.Until(p.end)))
		}
		text += fmt.Sprintf("; at most about %v left", d.Round(time.Second))
	}
	p.line("[%d/%d] %s: %s", p.done, p.done+trials, point, text)
}
