package report

import (
	"encoding/json"

	"vllmgo/bench/internal/same"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// settings are what a run or one of its points was measured with, by where the journal has it, such
// as "stopping.target", and as JSON. The functions below take whole records and take out what is no
// setting, so that a field that is new is compared.
type settings map[string]json.RawMessage

// flat returns the settings in a value that came from JSON.
func flat(value any) settings {
	members, _ := same.Flat(value)
	return members
}

// differences returns what two settings do not agree on, by name.
func (s settings) differences(other settings) []same.Difference {
	differences, _ := same.Differences(s, other) // which are JSON
	return differences
}

// runSettings returns the settings of the whole run. Those of the points are pointSettings.
func (r *Results) runSettings() settings {
	h := r.Header.Settings()
	h.Studies = nil
	r.withoutRepetition(&h.EngineArgs)
	return flat(h)
}

// withoutRepetition takes out what the header has by itself.
func (r *Results) withoutRepetition(args *vllmgo.EngineArgs) {
	if args.Model == r.Header.Model {
		args.Model = ""
	}
	if args.EngineMode == r.Header.EngineMode {
		args.EngineMode = ""
	}
}

// pointSettings returns the settings of a measured row: those of its study, its own, and those of
// its engine, with what the engine reports about itself.
func (r *Results) pointSettings(row Row) settings {
	study, point, engine := r.study(row), row.Point, r.engine(row)
	study.Points, point.Set.Engine = nil, nil
	study.MaxNumSeqs, study.MaxNumBatchedTokens = 0, 0 // the engine's arguments have all of these
	engine.Number, engine.Notice = 0, ""               // a count, and words about the arguments
	engine.LoadTime, engine.Info.LoadTime = 0, 0       // loading is measured, as is what else used the machine
	engine.HostMemory, engine.GPUMemory, engine.OtherGPUProcesses, engine.OtherLoadAverage = 0, nil, 0, 0
	r.withoutRepetition(&engine.Args)
	if r.Header.RandomWeights || engine.Info.Model == r.Header.Model {
		engine.Info.Model = ""
	}
	if r.Header.RandomWeights {
		engine.Args.Model = "" // a temporary folder
	}
	return flat(struct {
		Study  workload.Study `json:"study"`
		Point  workload.Point `json:"point"`
		Engine journal.Engine `json:"engine"`
	}{study, point, engine})
}
