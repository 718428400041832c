package report

import (
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
)

// compareSettings returns an error when a run was asked for other things than the first. It notes
// differences of the machines.
func (s *Scaling) compareSettings(first, run ScalingRun) error {
	var asked []string
	ours, theirs := scalingSettings(first.Header), scalingSettings(run.Header)
	for _, difference := range differing(first.Name, run.Name, ours, theirs) {
		if strings.HasPrefix(difference, "machine.") {
			s.note(difference)
		} else {
			asked = append(asked, difference)
		}
	}
	if asked != nil {
		return fmt.Errorf(
			"bench: only runs that differ in %s alone can be compared; these differ in %s",
			strings.Join(sizeNames, " or "),
			format.List(asked),
		)
	}
	return nil
}

// compareEngines returns an error when two rows of a point were measured on different devices or by
// unlike engines. It notes what else the engines report differently.
func (s *Scaling) compareEngines(first, row ScalingRow) error {
	var unlike []string
	for _, difference := range differing(first.run, row.run, engineFacts(first), engineFacts(row)) {
		name, _, _ := strings.Cut(difference, ":")
		if slices.Contains([]string{"dtype", "device", "device_name", "engine_mode"}, name) {
			unlike = append(unlike, difference)
		} else {
			s.note(difference)
		}
	}
	if unlike != nil {
		return fmt.Errorf(
			"bench: only runs on the same device with the same engine can be compared; these differ in %s",
			format.List(unlike),
		)
	}
	return nil
}

// note notes a difference of the runs, unless it is noted.
func (s *Scaling) note(difference string) {
	if note := "the runs differ in " + difference; !slices.Contains(s.Notes, note) {
		s.Notes = append(s.Notes, note)
	}
}

// differing returns the settings that two runs do not agree on, with both values.
func differing(first, run string, a, b settings) []string {
	var different []string
	for _, d := range a.differences(b) {
		was, is := d.Values()
		different = append(different, fmt.Sprintf("%s: %s (%s), %s (%s)", d.Name, was, first, is, run))
	}
	return different
}

// scalingSettings returns the settings that runs of different sizes must agree on:
// all but the studies, whose points are compared one by one, and what does not change a point's
// times.
func scalingSettings(h journal.Header) settings {
	h = h.Settings()
	h.EngineArgs.TensorParallelSize, h.EngineArgs.DataParallelSize, h.Studies = 0, 0, nil
	h.Preset, h.Stopping, h.Cold = "", stat.Stopping{}, false
	h.Latency, h.Goodput = false, journal.Goodput{} // which come after all trials
	return flat(h)
}

// engineFacts returns what a row's engine reports about itself, without what follows from the size.
func engineFacts(row ScalingRow) settings {
	info := row.Engine.Info
	info.TensorParallelSize, info.KVCacheTokens, info.CPUThreads, info.LoadTime = 0, 0, "", 0
	info.DataParallelSize, info.Placement = 0, nil
	info.Model = "" // as asked for, or a temporary folder
	return flat(info)
}
