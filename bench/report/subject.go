package report

import (
	"cmp"
	"strings"
	"time"

	"vllmgo/bench/internal/format"
)

// subject returns in a line what was measured on what, and when.
func (r *Results) subject() string {
	preset := r.Header.Preset
	if preset != "" {
		preset = "preset " + preset
	}
	return joined(r.model(), r.engineSetting().dtype, "on "+r.hardware(), r.version(), preset, r.date())
}

// hardware returns the device of the engines in words: the GPUs, or the processor with its cores.
func (r *Results) hardware() string {
	device, name := r.Header.Device, ""
	if len(r.Engines) > 0 {
		device, name = r.Engines[0].Info.Device, r.Engines[0].Info.DeviceName
	}
	if device == "cpu" {
		m := r.Header.Machine
		return joined("CPU", m.CPU, format.Count(m.Cores, "core"))
	}
	parallel := ""
	if size := r.engineSetting().tensorParallel; size != "1" {
		parallel = "TP " + size
	}
	return joined("GPU", cmp.Or(name, device), parallel)
}

// version returns the version of vLLM; empty when it is not known.
func (r *Results) version() string {
	if len(r.Engines) == 0 || r.Engines[0].Info.VLLMVersion == "" {
		return ""
	}
	return "vLLM " + r.Engines[0].Info.VLLMVersion
}

// date returns the day on which the run began, in UTC; empty when the journal does not say.
func (r *Results) date() string {
	if r.Header.Started.IsZero() {
		return ""
	}
	return r.Header.Started.UTC().Format(time.DateOnly)
}

// joined returns the texts that are not empty, with commas between them.
func joined(texts ...string) string {
	return strings.Join(only(texts, func(text string) bool { return text != "" }), ", ")
}
