package bench

import (
	"fmt"
	"io"
	"time"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/plain"
)

// progress prints how far a run is: a line for each event, and how much of it is done. On a
// terminal that is a bar below the lines, and otherwise a line for each trial.
//
// How much is done is a share of the time: what was spent, and what [eta] predicts, which tells
// loading from generating and one batch size from another.
type progress struct {
	w        io.Writer
	eta      eta
	bar      *bar      // nil: no terminal
	began    time.Time // of this run; earlier by what was spent before
	end      time.Time // of the budget; zero: none
	stopping stat.Stopping
	share    float64 // of the run that is done; it never shrinks
	left     map[workload.PointID]*workLeft
}

// workLeft is what is left to do for a point, as far as it is expected.
type workLeft struct {
	trials, warmUps int
	known           bool    // the trials are expected from those that there are
	steps, tokens   float64 // of one pass
}

// warmUpPasses is the number of passes that a full warm-up is expected to have.
const warmUpPasses = 3

// mostShown is the greatest share that is shown before the run is at its end.
const mostShown = 0.99

// newProgress returns the progress of the points of groups, after what was measured in the past: a
// share of the budget or, without one, of the trials.
func newProgress(s Settings, groups []engines.Group, past *journal.Journal) *progress {
	p := &progress{
		w:        s.Progress,
		began:    time.Now().Add(-past.Spent()),
		left:     make(map[workload.PointID]*workLeft),
		stopping: s.Stopping,
	}
	if p.w == nil {
		p.w = io.Discard
	}
	p.bar = newBar(p.w)
	if s.Stopping.Budget > 0 {
		p.end = p.began.Add(s.Stopping.Budget)
	}
	warmUps := 0
	if s.WarmUp == journal.WarmUpFull {
		warmUps = warmUpPasses
	}
	p.eta.loads = len(groups)
	planned := 0
	for _, g := range groups {
		for _, point := range g.Points {
			left := workLeft{trials: s.Stopping.MaxTrials - len(past.Times(point.ID())), warmUps: warmUps}
			left.steps, left.tokens = work(point.Requests, point, g.Args.MaxNumSeqs)
			p.left[point.ID()] = &left
			planned += left.trials
		}
	}
	if n := len(past.Trials); n > 0 {
		p.share = float64(n) / float64(n+planned)
	}
	if s.Stopping.Budget > 0 {
		p.share = past.Spent().Seconds() / s.Stopping.Budget.Seconds()
	}
	p.share = min(mostShown, p.share)
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
	p.bar.clear()
	fmt.Fprintln(p.w, plain.Text(fmt.Sprintf(format, args...)))
	p.bar.redraw()
}

// status shows what is going on, on a terminal only.
func (p *progress) status(format string, args ...any) {
	p.bar.show(p.share, fmt.Sprintf(format, args...))
}

// pass takes in a pass of some of a point's requests.
func (p *progress) pass(point workload.Point, requests, maxNumSeqs int, elapsed time.Duration) {
	steps, tokens := work(requests, point, maxNumSeqs)
	p.eta.observe(steps, tokens, elapsed)
}

// warmedUp notes that a point is warmed up.
func (p *progress) warmedUp(point workload.Point) { p.left[point.ID()].warmUps = 0 }

// drop plans no further trials of a point.
func (p *progress) drop(point workload.Point) { *p.left[point.ID()] = workLeft{} }

// trialDone shows the latest of a point's trials, and how long the rest is expected to take.
func (p *progress) trialDone(point workload.Point, times []time.Duration, others ...[]time.Duration) {
	p.expect(point, times, others)
	latest := times[len(times)-1]
	rate := format.Rate(point.GeneratedRate(latest))
	left, ok := p.timeLeft()
	if ok {
		spent := time.Since(p.began)
		p.share = max(p.share, min(mostShown, spent.Seconds()/(spent+left).Seconds()))
	}
	if p.bar != nil {
		p.status("%s: %s tok/s%s", point, rate, leftText(left, ok))
		return
	}
	text := fmt.Sprintf("%s generated tok/s, %s s", rate, format.Seconds(latest))
	if median := p.stopping.Estimate(times, others...); median.Confidence >= stat.Confidence {
		text += ", median within " + format.Percent(median.Precision(), 1)
	}
	p.line("[%d %%] %s: %s%s", int(100*p.share), point, text, leftText(left, ok))
}

// leftText returns a time that is left in words; nothing when it is not known.
func leftText(left time.Duration, known bool) string {
	if !known || left < time.Second {
		return ""
	}
	return fmt.Sprintf("; about %v left", left.Round(time.Second))
}

// expect plans the trials that a point still needs after those of the given times. An interval
// becomes narrower with the square root of their number.
func (p *progress) expect(point workload.Point, times []time.Duration, others [][]time.Duration) {
	left, n := p.left[point.ID()], len(times)
	most := p.stopping.MaxTrials - n
	median := p.stopping.Estimate(times, others...)
	if p.stopping.Stop(times, others...) != "" || most <= 0 {
		left.trials, left.known = 0, true
		return
	}
	if p.stopping.Target == 0 || median.Confidence < stat.Confidence {
		left.trials = most
		return
	}
	excess := median.Precision() / p.stopping.Target
	left.trials, left.known = min(most, max(1, int(float64(n)*excess*excess)-n)), true
}

// timeLeft returns how long the rest is expected to take; ok is false while that is not known. A
// point of which nothing can be expected needs as many trials as the one that needs most.
func (p *progress) timeLeft() (d time.Duration, ok bool) {
	needed := 0
	for _, left := range p.left {
		if left.known {
			needed = max(needed, left.trials)
		}
	}
	steps, tokens := 0.0, 0.0
	for _, left := range p.left {
		trials := left.trials
		if !left.known && needed > 0 {
			trials = min(trials, needed)
		}
		passes := float64(trials + left.warmUps)
		steps += passes * left.steps
		tokens += passes * left.tokens
	}
	d, ok = p.eta.left(steps, tokens)
	if ok && !p.end.IsZero() {
		d = max(0, min(d, time.Until(p.end)))
	}
	return d, ok
}

// finish shows that the run is at its end.
func (p *progress) finish() {
	p.share = 1
	if p.bar == nil {
		p.line("[100 %%] done in %v", time.Since(p.began).Round(time.Second))
		return
	}
	p.bar.show(1, "done in "+time.Since(p.began).Round(time.Second).String())
	fmt.Fprintln(p.w)
	p.bar = nil
}

// stop takes the bar of a run away that is not at its end.
func (p *progress) stop() { p.bar.clear() }
