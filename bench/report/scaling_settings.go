package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/internal/same"
	"vllmgo/bench/journal"
)

// compareSettings returns an error when a run was asked for other things than the first, or ran on
// another device or engine. It notes what else differs.
func (s *Scaling) compareSettings(first, run ScalingRun) error {
	if different := differing(first, run, asked(first.Header), asked(run.Header)); different != nil {
		return fmt.Errorf("bench: only runs that differ in tensor_parallel_size alone can be compared; these differ in %s",
			format.List(different))
	}
	if len(first.Engines) == 0 || len(run.Engines) == 0 {
		return nil // the rows have no figures
	}
	if different := differing(first, run, found(first.Results), found(run.Results)); different != nil {
		return fmt.Errorf("bench: only runs on the same device with the same engine can be compared; these differ in %s",
			format.List(different))
	}
	for _, difference := range differing(first, run, surroundings(first.Results), surroundings(run.Results)) {
		s.Notes = append(s.Notes, "the runs differ in "+difference)
	}
	return nil
}

// facts are what is said of a run, by name.
type facts map[string]string

// differing returns the names of the facts that two runs do not agree on, with both values.
func differing(first, run ScalingRun, a, b facts) []string {
	differences, _ := same.Differences(a, b) // of texts, which are JSON
	var different []string
	for _, d := range differences {
		different = append(different, fmt.Sprintf("%s: %s (%s), %s (%s)", d.Name,
			cmp.Or(a[d.Name], format.None), first.Name, cmp.Or(b[d.Name], format.None), run.Name))
	}
	return different
}

// asked returns what a run was asked for, except the tensor_parallel_size and the studies.
func asked(h journal.Header) facts {
	vocabulary, _ := json.Marshal(h.Vocabulary) // which came from JSON
	facts := facts{
		"model": h.Model, "random weights": strconv.FormatBool(h.RandomWeights), "device": h.Device,
		"seed": strconv.FormatUint(h.Seed, 10), "vocabulary": string(vocabulary),
		"prompts as text": strconv.FormatBool(h.Text), "warm-up": string(h.WarmUp), "engine_mode": string(h.EngineMode),
	}
	args := h.EngineArgs
	args.TensorParallelSize = 0
	settings, _ := same.Members(args) // which came from JSON
	delete(settings, "model")         // a directory of random weights has another name each time
	for name, value := range settings {
		facts[name] = string(value)
	}
	return facts
}

// found returns what a run's engines report about themselves.
func found(r *Results) facts {
	s := r.engineSetting()
	return facts{"dtype": s.dtype, "device": s.device, "engine mode": s.mode}
}

// surroundings returns the versions and the machine of a run.
func surroundings(r *Results) facts {
	info := r.Engines[0].Info
	return facts{
		"vLLM": info.VLLMVersion, "torch": info.TorchVersion, "Python": info.PythonVersion,
		"machine": r.Header.Machine.String(),
	}
}
