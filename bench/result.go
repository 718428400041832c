package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Results are a run's results, computed from its journal by [NewResults].
type Results struct {
	Header Header `json:"header"`
	// Limits are what the device is capable of, when it was measured.
	Limits *Limits `json:"limits,omitempty"`
	// Engines are the engines that opened.
	Engines []EngineRecord `json:"engines"`
	// Studies have a row for each point that was to be measured.
	Studies []StudyResult `json:"studies"`
	// Recommendations rest on the rows that were measured.
	Recommendations []Recommendation `json:"recommendations"`
	// Problems are failures of engines as a whole, and damage to the journal.
	Problems []string `json:"problems,omitempty"`
}

// StudyResult is the outcome of a study.
type StudyResult struct {
	Study Study `json:"study"`
	// Rows has one row for each of the study's points, in their order.
	Rows []Row `json:"rows"`
	// Finding is what the rows say about the swept parameter.
	Finding string `json:"finding"`
}

// Status says what became of a point.
type Status string

const (
	// Measured: at least one trial succeeded.
	Measured Status = "measured"
	// Failed: no trial succeeded; Row.Notes has the reason.
	Failed Status = "failed"
	// Missing: the run ended before the point.
	Missing Status = "not measured"
)

// Row is the outcome of a point.
type Row struct {
	Point
	Status Status `json:"status"`
	// Trials are the trials that succeeded.
	Trials []Trial `json:"trials,omitempty"`
	// Elapsed is the median of the trials' times, the batch's completion time, with its interval.
	Elapsed Median `json:"elapsed,omitzero"`
	// Trend and Modes say whether the trials' times drifted and whether they have several modes.
	Trend Trend `json:"trend,omitzero"`
	Modes Modes `json:"modes,omitzero"`
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
	// PeakKVTokens is the demand for KV-cache tokens; see the function [PeakKVTokens].
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

// generatedPerSecond is the metric in front: tokens generated a second.
func (p Point) generatedPerSecond(elapsed time.Duration) float64 {
	return float64(p.OutputTokens()) / elapsed.Seconds()
}

func (p Point) totalPerSecond(elapsed time.Duration) float64 {
	return float64(p.InputTokens()+p.OutputTokens()) / elapsed.Seconds()
}

// perToken is the completion time divided by the output length: the time that a request waits for each of
// its tokens.
func (r Row) perToken() time.Duration {
	return r.Elapsed.Value * time.Duration(r.Requests) / time.Duration(r.OutputTokens())
}

// NewResults computes everything that a journal tells.
func NewResults(j *Journal) *Results {
	results := &Results{Header: j.Header, Limits: j.Limits, Engines: j.Engines}
	for _, study := range j.Header.Studies {
		s := StudyResult{Study: study}
		for _, p := range study.Points {
			s.Rows = append(s.Rows, newRow(j, p))
		}
		s.Finding = s.finding()
		results.Studies = append(results.Studies, s)
	}
	results.Recommendations = results.recommend()
	for _, f := range j.Failures {
		if f.Point == nil {
			results.Problems = append(results.Problems, fmt.Sprintf("engine %d: %s", f.Engine, f.Reason))
		}
	}
	if j.Damaged {
		results.Problems = append(results.Problems, "the journal's last line is damaged and was left out")
	}
	return results
}

func newRow(j *Journal, p Point) Row {
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
	times := j.times(p.ID())
	if len(times) == 0 {
		return row
	}
	row.Stopped = j.Header.Stopping.reason(times, slices.Contains(j.OutOfBudget, p.ID()))
	if row.Status == Failed {
		row.Stopped = "failed"
		row.addNote(fmt.Sprintf("figures from the %s before it failed", count(len(times), "trial")))
	}
	row.Status = Measured
	row.Elapsed, row.Trend, row.Modes = NewMedian(times), newTrend(times), newModes(times)
	row.GeneratedPerSecond = p.generatedPerSecond(row.Elapsed.Value)
	row.TotalPerSecond = p.totalPerSecond(row.Elapsed.Value)
	row.JoulesPerToken = row.median(func(t Trial) float64 { return t.Usage.joules() / float64(t.Ledger.OutputTokens) })
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
	for _, i := range outliers(times) {
		r.addNote(fmt.Sprintf("outlier: trial %d took %s s, %+.0f %% against the median", r.Trials[i].Trial,
			formatSeconds(times[i]), 100*(times[i].Seconds()/r.Elapsed.Value.Seconds()-1)))
	}
	if r.Trend.drifts() {
		r.addNote(fmt.Sprintf("drift: the time changed by %+.1f %% from the first trial to the last (Mann-Kendall, p = %.2g)",
			100*r.Trend.Change, r.Trend.P))
	}
	if r.Modes.several() {
		r.addNote(fmt.Sprintf("the times have more than one mode (Hartigans' dip %.2f, p = %.2g)", r.Modes.Dip, r.Modes.P))
	}
}

// noteLatencyLoad notes what else used the machine while latencies were measured.
func (r *Row) noteLatencyLoad(j *Journal) {
	var usages []Usage
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

// measured are the rows that have figures.
func measured(rows []Row) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Status != Measured })
}

// unmeasured says which rows have no figures and why in one word; empty when none.
func unmeasured(rows []Row) string {
	var words []string
	for _, r := range rows {
		if r.Status != Measured {
			words = append(words, fmt.Sprintf("%s (%s)", r.Point, r.Status))
		}
	}
	return list(words)
}

// rows are the rows of all studies.
func (r *Results) rows() []Row {
	var rows []Row
	for _, s := range r.Studies {
		rows = append(rows, s.Rows...)
	}
	return rows
}

// Complete reports whether every point was measured as often as it should be and none failed.
func (r *Results) Complete() bool {
	for _, row := range r.rows() {
		if row.Status != Measured || row.Stopped == "failed" || row.Stopped == "interrupted" || r.Header.Latency && row.Latency == nil {
			return false
		}
	}
	return true
}

// engine is the record of the engine that measured a row. ReadJournal sees to it that there is one.
func (r *Results) engine(row Row) EngineRecord {
	i := slices.IndexFunc(r.Engines, func(e EngineRecord) bool { return e.Number == row.Engine })
	return r.Engines[i]
}

// info is what tables name: the first engine's account of itself, or, when none opened, what was asked for.
func (r *Results) info() (dtype, device, tensorParallel, mode string) {
	if len(r.Engines) > 0 {
		info := r.Engines[0].Info
		device = info.Device
		if info.DeviceName != "" && info.DeviceName != info.Device {
			device += " (" + info.DeviceName + ")"
		}
		return info.Dtype, device, r.tensorParallel(), string(info.EngineMode)
	}
	args := r.Header.EngineArgs
	mode = string(r.Header.EngineMode)
	if mode == "" {
		mode = "auto"
	}
	return args.Dtype, r.Header.Device, strconv.Itoa(max(1, args.TensorParallelSize)), mode
}

// tensorParallel are the tensor parallel sizes of the engines, ascending, as prose.
func (r *Results) tensorParallel() string {
	sizes := map[int]string{}
	for _, e := range r.Engines {
		sizes[e.Info.TensorParallelSize] = strconv.Itoa(e.Info.TensorParallelSize)
	}
	var words []string
	for _, size := range slices.Sorted(maps.Keys(sizes)) {
		words = append(words, sizes[size])
	}
	return list(words)
}

// model is the model's name as tables show it.
func (r *Results) model() string { return ModelTitle(r.Header.Model, r.Header.RandomWeights) }

// ModelTitle is a model's name, marked when its weights are random.
func ModelTitle(name string, randomWeights bool) string {
	if randomWeights {
		return name + ", random weights"
	}
	return name
}

// setting is what every table names besides the model.
func (r *Results) setting() string {
	dtype, device, tensorParallel, mode := r.info()
	if dtype == "" {
		dtype = "auto"
	}
	return fmt.Sprintf("dtype %s, %s, TP %s, engine %s, preset %s", dtype, device, tensorParallel, mode, r.Header.Preset)
}

// versions are those of what measured; empty when no engine opened.
func (r *Results) versions() string {
	if len(r.Engines) == 0 {
		return ""
	}
	info := r.Engines[0].Info
	return fmt.Sprintf("vLLM %s, torch %s, Python %s", info.VLLMVersion, info.TorchVersion, info.PythonVersion)
}
