package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/format"
)

// Results are a run's results, computed from its journal by [New].
type Results struct {
	Header journal.Header `json:"header"`
	// Limits are what the device is capable of, when it was measured.
	Limits *journal.Limits `json:"limits,omitempty"`
	// Engines are the engines that opened.
	Engines []journal.Engine `json:"engines"`
	// Studies have a row for each point that was to be measured.
	Studies []StudyResult `json:"studies"`
	// Recommendations rest on the rows that were measured.
	Recommendations []Recommendation `json:"recommendations"`
	// Problems are failures of engines as a whole, and damage to the journal.
	Problems []string `json:"problems,omitempty"`
}

// StudyResult is the outcome of a study.
type StudyResult struct {
	Study workload.Study `json:"study"`
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

// New computes everything that a journal tells.
func New(j *journal.Journal) *Results {
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
	return format.List(words)
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
func (r *Results) engine(row Row) journal.Engine {
	i := slices.IndexFunc(r.Engines, func(e journal.Engine) bool { return e.Number == row.Engine })
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
	return format.List(words)
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
