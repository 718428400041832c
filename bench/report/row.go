package report

import (
	"fmt"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/format"
)

// times are those of the row's trials.
func (r Row) times() []time.Duration {
	times := make([]time.Duration, len(r.Trials))
	for i, t := range r.Trials {
		times[i] = t.Elapsed
	}
	return times
}

// median is the median of a figure of the row's trials.
func (r Row) median(figure func(journal.Trial) float64) float64 {
	var values []float64
	for _, t := range r.Trials {
		values = append(values, figure(t))
	}
	slices.Sort(values)
	return stat.Quantile(values, 0.5)
}

// gpuMemory is the memory in use on the fullest of the engine's GPUs, the median over the trials, in bytes; 0 without NVML.
func (r Row) gpuMemory() int64 {
	return int64(r.median(func(t journal.Trial) float64 {
		var most int64
		for _, g := range t.Usage.GPUs {
			most = max(most, g.Memory)
		}
		return float64(most)
	}))
}

// Row is the outcome of a point.
type Row struct {
	workload.Point
	Status Status `json:"status"`
	// Trials are the trials that succeeded.
	Trials []journal.Trial `json:"trials,omitempty"`
	// Elapsed is the median of the trials' times, the batch's completion time, with its interval.
	Elapsed stat.Estimate[time.Duration] `json:"elapsed,omitzero"`
	// Trend and Modes say whether the trials' times drifted and whether they have several modes.
	Trend stat.Trend `json:"trend,omitzero"`
	Modes stat.Modes `json:"modes,omitzero"`
	// GeneratedPerSecond is requests · output length / the median, in tokens a second. 0 unless measured.
	GeneratedPerSecond float64 `json:"generated_tokens_per_second,omitempty"`
	// TotalPerSecond is requests · (input length + output length) / the median, in tokens a second.
	TotalPerSecond float64 `json:"total_tokens_per_second,omitempty"`
	// Light is the speed of light and the share of it that was reached.
	Light Light `json:"light,omitzero"`
	// Latency is what the passes say that timed each request; nil when there are none.
	Latency *Latency `json:"latency,omitempty"`
	// JoulesPerToken is the median energy of the engine's GPUs for each generated token, in joules; 0 when they do not
	// tell.
	JoulesPerToken float64 `json:"joules_per_token,omitempty"`
	// PeakKVTokens is the demand for KV-cache tokens; see the function [workload.PeakKVTokens].
	PeakKVTokens int `json:"peak_kv_tokens,omitempty"`
	// Stopped says why there are no more trials: "target reached", "most trials reached", "budget spent",
	// "interrupted" or "failed".
	Stopped string `json:"stopped,omitempty"`
	// Cold is what a benchmark like the notebook's would have measured.
	Cold Cold `json:"cold,omitzero"`
	// Engine is the number of the engine that measured it first.
	Engine int `json:"engine,omitempty"`
	// Checks are the conditions for valid figures, passed or not.
	Checks []Check `json:"checks,omitempty"`
	// Notes say why the point failed, or what to know about its figures.
	Notes []string `json:"notes,omitempty"`
}

// perToken is the completion time divided by the output length: the time that a request waits for each of
// its tokens.
func (r Row) perToken() time.Duration {
	return r.Elapsed.Value * time.Duration(r.Requests) / time.Duration(r.OutputTokens())
}

func newRow(j *journal.Journal, p workload.Point) Row {
	row := Row{Point: p, Status: Missing}
	var violated Check
	for _, f := range j.Failures {
		if f.Point == nil || *f.Point != p.ID() {
			continue
		}
		if f.Latency {
			row.addNote("no latencies: " + f.Reason)
		} else {
			row.Status = Failed
			row.addNote(f.Reason)
			if f.Check != "" {
				violated = Check{Name: f.Check, Detail: f.Reason}
				row.Checks = []Check{violated}
			}
		}
	}
	for _, t := range j.Trials {
		if t.PointID == p.ID() {
			row.Trials = append(row.Trials, t)
		}
	}
	times := j.Times(p.ID())
	if len(times) == 0 {
		return row
	}
	row.Stopped = j.Header.Stopping.Reason(times, slices.Contains(j.OutOfBudget, p.ID()))
	if row.Status == Failed {
		row.Stopped = "failed"
		row.addNote(fmt.Sprintf("figures from the %s before it failed", format.Count(len(times), "trial")))
	}
	row.Status = Measured
	row.Elapsed, row.Trend, row.Modes = stat.Median(times), stat.NewTrend(times), stat.NewModes(times)
	row.GeneratedPerSecond = p.GeneratedRate(row.Elapsed.Value)
	row.TotalPerSecond = p.TotalRate(row.Elapsed.Value)
	row.JoulesPerToken = row.median(func(t journal.Trial) float64 { return t.Usage.Joules() / float64(t.Ledger.OutputTokens) })
	row.PeakKVTokens = row.Trials[0].PeakKVTokens
	row.Engine = row.Trials[0].Engine
	row.Light = lightOf(j, row)
	if row.Light.Share > lightTolerance {
		row.addNote("faster than the speed of light: the limits of the device were measured too low, as when others use it at that moment")
	}
	row.Latency = newLatency(j, row)
	row.noteLatencyLoad(j)
	row.noteTimes()
	for _, w := range j.WarmUps {
		if w.PointID == p.ID() && !w.Stable {
			row.addNote(fmt.Sprintf("times were not stable after %s", fmt.Sprintf("%d warm-up passes", len(w.Passes))))
		}
	}
	row.Cold = newCold(j, row)
	row.Checks = newChecks(j, row, violated)
	for _, c := range row.failedChecks() {
		if c == violated {
			continue // noted as the reason
		}
		row.addNote(fmt.Sprintf("check %q failed: %s", c.Name, c.Detail))
	}
	return row
}

// noteTimes notes what a median hides: outliers, a drift, several modes. All trials are in the figures.
func (r *Row) noteTimes() {
	times := r.times()
	for _, i := range stat.Outliers(times) {
		r.addNote(fmt.Sprintf("outlier: trial %d took %s s, %+.0f %% against the median", r.Trials[i].Trial,
			format.Seconds(times[i]), 100*(times[i].Seconds()/r.Elapsed.Value.Seconds()-1)))
	}
	if r.Trend.Drifts() {
		r.addNote(fmt.Sprintf("drift: the time changed by %+.1f %% from the first trial to the last (Mann-Kendall, p = %.2g)",
			100*r.Trend.Change, r.Trend.P))
	}
	if r.Modes.Several() {
		r.addNote(fmt.Sprintf("the times have more than one mode (Hartigans' dip %.2f, p = %.2g)", r.Modes.Dip, r.Modes.P))
	}
}

// noteLatencyLoad notes what else used the machine while latencies were measured.
func (r *Row) noteLatencyLoad(j *journal.Journal) {
	var usages []journal.Usage
	for _, l := range j.Latencies {
		if l.PointID == r.ID() {
			usages = append(usages, l.Usage)
		}
	}
	for _, seen := range loaded(j, "latency pass", usages) {
		r.addNote("other load while latencies were measured: " + seen)
	}
}

func (r *Row) addNote(note string) {
	if !slices.Contains(r.Notes, note) {
		r.Notes = append(r.Notes, note)
	}
}

// slowerThan reports whether a row's throughput is below another's beyond the intervals of both.
func (r Row) slowerThan(other Row) bool {
	return r.GeneratedRate(r.Elapsed.Low) < other.GeneratedRate(other.Elapsed.High)
}

// trialOf is the row's first trial on an engine; the zero value when it has none.
func (r Row) trialOf(engine int) journal.Trial {
	for _, t := range r.Trials {
		if t.Engine == engine {
			return t
		}
	}
	return journal.Trial{}
}

// failedChecks are the checks that did not pass.
func (r Row) failedChecks() []Check {
	var failed []Check
	for _, c := range r.Checks {
		if !c.Passed {
			failed = append(failed, c)
		}
	}
	return failed
}
