package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// engineSetting is the setting of the engines as tables name it.
type engineSetting struct{ dtype, device, tensorParallel, mode string }

// engineSetting returns what the first engine reports about itself or, when none opened, what was
// asked for.
func (r *Results) engineSetting() engineSetting {
	if len(r.Engines) == 0 {
		args, mode := r.Header.EngineArgs, string(r.Header.EngineMode)
		if mode == "" {
			mode = "auto"
		}
		return engineSetting{args.Dtype, r.Header.Device, strconv.Itoa(max(1, args.TensorParallelSize)), mode}
	}
	info := r.Engines[0].Info
	device := info.Device
	if info.DeviceName != "" && info.DeviceName != info.Device {
		device += " (" + info.DeviceName + ")"
	}
	return engineSetting{info.Dtype, device, r.tensorParallel(), string(info.EngineMode)}
}

// tensorParallel returns the tensor parallel sizes of the engines in ascending order, as prose.
func (r *Results) tensorParallel() string {
	sizes := map[int]bool{}
	for _, e := range r.Engines {
		sizes[e.Info.TensorParallelSize] = true
	}
	var words []string
	for _, size := range slices.Sorted(maps.Keys(sizes)) {
		words = append(words, strconv.Itoa(size))
	}
	return format.List(words)
}

// model returns the model's name as tables show it.
func (r *Results) model() string {
	return format.ModelTitle(r.Header.Model, r.Header.RandomWeights)
}

// setting returns what every table names besides the model.
func (r *Results) setting() string {
	s := r.engineSetting()
	return fmt.Sprintf("dtype %s, %s, TP %s, engine %s, preset %s",
		cmp.Or(s.dtype, "auto"), s.device, s.tensorParallel, s.mode, r.Header.Preset)
}

// plotTitle returns the title of a plot: what it shows, the model, the machine, vLLM and the date,
// and the setting.
func (r *Results) plotTitle(what string) string {
	s := r.engineSetting()
	return fmt.Sprintf("%s: %s\n%s\ndtype %s, engine %s, preset %s", what, r.model(),
		joined(r.hardware(), r.version(), r.date()), cmp.Or(s.dtype, "auto"), s.mode, r.Header.Preset)
}

// caption returns the caption of a study's table: a title, what is the same for all points, the
// model and the setting.
func (r *Results) caption(title string, study workload.Study) string {
	if fixed := study.Fixed(); fixed != "" {
		title += ", " + fixed
	}
	return fmt.Sprintf("%s: %s, %s", title, r.model(), r.setting())
}

// versions returns the versions of the software that was measured; empty when no engine opened.
func (r *Results) versions() string {
	if len(r.Engines) == 0 {
		return ""
	}
	return r.Engines[0].Info.Versions()
}

// loadCost returns in words what it took to load an engine.
func loadCost(e journal.Engine) string {
	costs := []string{format.Seconds(e.LoadTime) + " s"}
	if e.HostMemory != 0 { // else it could not be measured
		costs = append(costs, format.Bytes(e.HostMemory)+" of host memory")
	}
	if e.GPUMemory != nil {
		costs = append(costs, format.Bytes(*e.GPUMemory)+" of GPU memory")
	}
	return format.List(costs)
}
