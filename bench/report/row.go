package report

import (
	"cmp"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Row is the result of a point.
type Row struct {
	workload.Point
	Status Status `json:"status"`
	// Trials are the trials that succeeded.
	Trials []journal.Trial `json:"trials,omitempty"`
	// Elapsed is the median of the trials' times, the batch's completion time, with its interval.
	Elapsed stat.Estimate[time.Duration] `json:"elapsed,omitzero"`
	// Trend is the drift of the trials' times. Modes reports whether they have several modes.
	// Dependence is how much they, and those of the points that share the engine, depend on the
	// trials before, which Elapsed allows for.
	Trend      stat.Trend      `json:"trend,omitzero"`
	Modes      stat.Modes      `json:"modes,omitzero"`
	Dependence stat.Dependence `json:"dependence,omitzero"`
	// GeneratedPerSecond is the number of generated tokens a second: requests · output length ÷ the
	// median. It is 0 unless the row was measured.
	GeneratedPerSecond float64 `json:"generated_tokens_per_second,omitempty"`
	// TotalPerSecond is the number of all tokens a second: requests · (input length + output
	// length) ÷ the median.
	TotalPerSecond float64 `json:"total_tokens_per_second,omitempty"`
	// Light is the speed of light and the share of it that was reached.
	Light Light `json:"light,omitzero"`
	// Latency has the latencies of the requests; nil when they were not timed.
	Latency *Latency `json:"latency,omitempty"`
	// JoulesPerToken is the median energy of the engine's GPUs for each generated token, in joules,
	// over the trials of which it is known; 0 when there is no such trial.
	JoulesPerToken float64 `json:"joules_per_token,omitempty"`
	// EnergyTrials is the number of these trials.
	EnergyTrials int `json:"energy_trials,omitempty"`
	// PeakKVTokens is the demand for KV-cache tokens; see [workload.Point.PeakKVTokens].
	PeakKVTokens int `json:"peak_kv_tokens,omitempty"`
	// Stopped is the reason why there are no more trials.
	Stopped stat.StopReason `json:"stopped,omitempty"`
	// Cold is the time after a warm-up of a single request, with all that a shape needs only once.
	Cold Cold `json:"cold,omitzero"`
	// Engine is the number of the engine that measured the point first.
	Engine int `json:"engine,omitempty"`
	// Checks are the conditions for valid figures, passed or not.
	Checks []Check `json:"checks,omitempty"`
	// Notes explain why the point failed, or what to know about its figures.
	Notes []string `json:"notes,omitempty"`
	// Marks are what Notes say, without the row's own figures. Rows share them in the short report.
	Marks []string `json:"marks,omitempty"`
}

// Status is what became of a point.
type Status string

const (
	// Measured means that at least one trial succeeded.
	Measured Status = "measured"
	// Failed means that no trial succeeded. Row.Notes have the reason.
	Failed Status = "failed"
	// Missing means that the run ended before the point.
	Missing Status = "not measured"
)

// newRow returns the row of a point of a journal. others are the times of the points that share its
// engine.
func newRow(j *journal.Journal, p workload.Point, others [][]time.Duration) Row {
	row := Row{Point: p, Status: Missing}
	for _, note := range p.LengthsFile.Notes(p.Requests) {
		row.addSharedNote(note)
	}
	violated := row.addFailures(j)
	row.addTrials(j)
	if !row.measured() {
		return row
	}
	row.addFigures(j, others)
	row.noteLight()
	row.noteLatencyLoad(j)
	row.noteTimes()
	row.noteWarmUps(j)
	row.Checks = newChecks(j, row, violated)
	row.noteChecks(violated)
	return row
}

// addFailures takes in the failures of the point. It returns the check that one of them violated;
// the zero value when none did.
func (r *Row) addFailures(j *journal.Journal) (violated Check) {
	for _, f := range j.Failures {
		if f.Point == nil || *f.Point != r.ID() {
			continue
		}
		if f.Latency {
			r.addSharedNote("no latencies: " + f.Reason)
			continue
		}
		r.Status = Failed
		r.addSharedNote(f.Reason)
		if f.Check != "" {
			violated = Check{Name: f.Check, Detail: f.Reason}
			r.Checks = []Check{violated}
		}
	}
	return violated
}

// addTrials takes in the trials of the point. With a trial, the row is measured, even when a later
// trial failed.
func (r *Row) addTrials(j *journal.Journal) {
	for _, t := range j.Trials {
		if t.PointID == r.ID() {
			r.Trials = append(r.Trials, t)
		}
	}
	if len(r.Trials) == 0 {
		return
	}
	if r.Status == Failed {
		r.noteFailedLater()
	}
	r.Stopped = cmp.Or(j.Stopped(r.ID()), stat.Interrupted)
	r.Status = Measured
}

// addFigures computes the figures of a measured row.
func (r *Row) addFigures(j *journal.Journal, others [][]time.Duration) {
	times := r.times()
	r.Elapsed, r.Dependence = stat.MedianInOrder(times, others...), stat.NewDependence(times, others...)
	r.Trend, r.Modes = stat.NewTrend(times), stat.NewModes(times)
	r.GeneratedPerSecond = r.GeneratedRate(r.Elapsed.Value)
	r.TotalPerSecond = r.TotalRate(r.Elapsed.Value)
	energy := r.energy()
	r.JoulesPerToken, r.EnergyTrials = energy.Value, energy.N
	r.PeakKVTokens = r.Trials[0].PeakKVTokens
	r.Engine = r.Trials[0].Engine
	r.Light = newLight(j, *r)
	r.Latency = newLatency(j, *r)
	r.Cold = newCold(j, *r)
}

// measured reports whether the row has figures.
func (r Row) measured() bool { return r.Status == Measured }

// sound reports whether the row has figures and none of its trials failed. What fails its counts,
// or ends its engine, is no point to recommend, however fast it was before.
func (r Row) sound() bool { return r.measured() && r.Stopped != stat.TrialFailed }

// times returns the times of the trials.
func (r Row) times() []time.Duration {
	times := make([]time.Duration, len(r.Trials))
	for i, t := range r.Trials {
		times[i] = t.Elapsed
	}
	return times
}

// median returns the median of a figure of the trials; 0 when there are no trials.
func (r Row) median(figure func(journal.Trial) float64) float64 {
	return stat.Median(r.each(func(t journal.Trial) (float64, bool) { return figure(t), true })).Value
}

// each returns a figure of the trials of which it is known.
func (r Row) each(figure func(journal.Trial) (value float64, known bool)) []float64 {
	var values []float64
	for _, t := range r.Trials {
		if value, known := figure(t); known {
			values = append(values, value)
		}
	}
	return values
}

// hasEnergy reports whether the energy for each token is known.
func (r Row) hasEnergy() bool { return r.EnergyTrials > 0 }

// A rate returns the tokens a second of a pass of a point that took a time:
// [workload.Point.GeneratedRate] or [workload.Point.TotalRate].
type rate func(workload.Point, time.Duration) float64

// estimate returns the median of a rate with its interval.
func (r Row) estimate(of rate) stat.Estimate[float64] {
	return stat.Estimate[float64]{
		N: r.Elapsed.N, Value: of(r.Point, r.Elapsed.Value), Confidence: r.Elapsed.Confidence,
		// The longest time is the lowest rate.
		Low: of(r.Point, r.Elapsed.High), High: of(r.Point, r.Elapsed.Low),
	}
}

// perToken returns the completion time divided by the output length: how long a request waits for
// each of its tokens.
func (r Row) perToken() time.Duration {
	return time.Duration(float64(r.Elapsed.Value) * float64(r.Requests) / float64(r.OutputTokens()))
}

// gpuMemory returns the memory in use on the fullest of the engine's GPUs, in bytes, as the median
// of the trials; 0 when it is not known.
func (r Row) gpuMemory() int64 {
	return int64(r.medianGPUs(greater, gpuMemory).Value)
}

// trialOf returns the row's first trial on an engine; the zero value when there is none.
func (r Row) trialOf(engine int) journal.Trial {
	for _, t := range r.Trials {
		if t.Engine == engine {
			return t
		}
	}
	return journal.Trial{}
}

// failedChecks returns the checks that did not pass.
func (r Row) failedChecks() []Check {
	return only(r.Checks, func(c Check) bool { return !c.Passed })
}
