package report

import (
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
)

// Check is the result of checking a point for a condition of valid figures.
type Check struct {
	// Name is one of the names in package journal, such as [journal.CheckLoad].
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Detail is what was seen when the check did not pass.
	Detail string `json:"detail,omitempty"`
}

const (
	// otherLoad is the greatest share of the machine's cores that others may keep busy during a
	// trial.
	otherLoad = 0.05
	// loadBefore is the greatest load average before the run's first engine is loaded, as a share
	// of the machine's cores. It counts only where no trial is long enough to tell what others use:
	// what ended a moment ago, such as the set-up of a first run, is still in the average.
	loadBefore = 0.5
	// stolen is the greatest share of CPU time that a hypervisor may give to others, or that a
	// quota may hold back.
	stolen = 0.01
)

// newChecks returns the checks of a point that has trials. violated is the check that a further
// trial failed; its name is empty when there was none.
func newChecks(j *journal.Journal, row Row, violated Check) []Check {
	var checks []Check
	for _, name := range []string{journal.CheckPrompts, journal.CheckCounts, journal.CheckFinish, journal.CheckCache} {
		if name == violated.Name {
			checks = append(checks, violated)
		} else {
			checks = append(checks, Check{Name: name, Passed: true})
		}
	}
	checks = append(checks, checkPreemption(j, row), checkEngine(row), checkLoad(j, row))
	if row.onGPUs() {
		checks = append(checks, checkClocks(row))
	}
	return checks
}

// newCheck returns a check that passes when nothing was seen.
func newCheck(name string, seen []string) Check {
	return Check{Name: name, Passed: len(seen) == 0, Detail: strings.Join(seen, "; ")}
}

// checkPreemption compares the KV cache of each engine that measured the point with the point's
// peak demand. Throughput runs without the engine's statistics, which would count preemptions.
func checkPreemption(j *journal.Journal, row Row) Check {
	var seen []string
	for _, e := range j.Engines {
		if peak := row.trialOf(e.Number).PeakKVTokens; e.Info.KVCacheTokens < peak {
			seen = append(seen, fmt.Sprintf(
				"requests may have been preempted: the KV cache holds %d tokens, the point's peak demand is %d",
				e.Info.KVCacheTokens, peak))
		}
	}
	return newCheck(journal.CheckPreemption, seen)
}

// checkEngine looks for trials on different engines.
func checkEngine(row Row) Check {
	var seen []string
	if slices.ContainsFunc(row.Trials, func(t journal.Trial) bool { return t.Engine != row.Engine }) {
		last := row.Trials[len(row.Trials)-1].Engine
		seen = []string{fmt.Sprintf("engine %d ran the first trial, engine %d the last", row.Engine, last)}
	}
	return newCheck(journal.CheckEngine, seen)
}

// checkLoad looks for trials during which others used the machine, and for others before the
// engines were loaded.
func checkLoad(j *journal.Journal, row Row) Check {
	var usages []journal.Usage
	for _, t := range row.Trials {
		usages = append(usages, t.Usage)
	}
	seen := otherUse(j, "trial", usages)
	for _, e := range j.Engines {
		if row.trialOf(e.Number).Engine != e.Number {
			continue
		}
		if e.OtherGPUProcesses > 0 {
			seen = append(seen, fmt.Sprintf("%s of others computed on the GPUs before engine %d was loaded",
				format.Count(e.OtherGPUProcesses, "process"), e.Number))
		}
		if e.Number == 1 && !row.knowsOthers(j.Header.Machine.Cores) && e.OtherLoadAverage > loadBefore*cores(j) {
			seen = append(seen, fmt.Sprintf(
				"in the minute before engine 1 was loaded, others' load average was %.2f, above %s of %s",
				e.OtherLoadAverage, format.Percent(loadBefore, 0), format.Count(j.Header.Machine.Cores, "core")))
		}
	}
	return newCheck(journal.CheckLoad, seen)
}

// knowsOthers reports whether a trial was long enough to tell what others used. The machine has so
// many cores.
func (r Row) knowsOthers(cores int) bool {
	return slices.ContainsFunc(r.Trials, func(t journal.Trial) bool {
		return !t.Usage.Short && !impossible(t.Usage, cores)
	})
}

// cores returns the number of the machine's cores.
func cores(j *journal.Journal) float64 { return float64(max(1, j.Header.Machine.Cores)) }

// impossible reports whether a program seems to have kept more cores busy than there are. Its CPU
// time was then counted in ticks over too short a time, as earlier versions did, and so was that of
// others. A few percent are the error of a longer time.
func impossible(u journal.Usage, cores int) bool {
	return cores > 0 && u.Cores > 1.05*float64(cores)
}

// otherUse describes how others used the machine's cores and GPUs: in how many trials or passes,
// and how much in the worst. It returns nothing if nobody else did. noun is "trial" or "latency
// pass".
func otherUse(j *journal.Journal, noun string, usages []journal.Usage) []string {
	return slices.Concat(otherCPUUse(j, noun, usages), otherGPUUse(noun, usages))
}

// otherCPUUse is the part of otherUse on cores.
func otherCPUUse(j *journal.Journal, noun string, usages []journal.Usage) []string {
	times, worst, most := 0, journal.Usage{}, 0.0
	for _, u := range usages {
		if impossible(u, j.Header.Machine.Cores) {
			u.OtherCores, u.Steal = 0, 0
		}
		excess := max(u.OtherCores/cores(j)/otherLoad, u.Steal/stolen, u.Throttled/stolen)
		if excess > 1 {
			times++
		}
		if excess > most {
			worst, most = u, excess
		}
	}
	if times == 0 {
		return nil
	}
	return []string{
		fmt.Sprintf(
			"in %d of %s; at worst others kept %.2f cores busy, the hypervisor took %s, a quota held back %s",
			times,
			format.Count(len(usages), noun),
			worst.OtherCores,
			format.Percent(worst.Steal, 1),
			format.Percent(worst.Throttled, 1),
		),
	}
}

// otherGPUUse is the part of otherUse on GPUs.
func otherGPUUse(noun string, usages []journal.Usage) []string {
	times, most := 0, 0
	for _, u := range usages {
		others := 0
		for _, g := range u.GPUs {
			others = max(others, g.OtherProcesses)
		}
		if others > 0 {
			times++
		}
		most = max(most, others)
	}
	if times == 0 {
		return nil
	}
	return []string{fmt.Sprintf("in %d of %s others computed on a GPU, at worst %s",
		times, format.Count(len(usages), noun), format.Count(most, "process"))}
}

// checkClocks looks for trials during which a GPU was slowed down.
func checkClocks(row Row) Check {
	slowed, lowest, reasons := 0, 0, []string(nil)
	for _, t := range row.Trials {
		gpus := only(t.Usage.GPUs, func(g journal.GPUUsage) bool { return len(g.Slowed) > 0 })
		if len(gpus) > 0 {
			slowed++
		}
		for _, g := range gpus {
			if lowest == 0 || g.LowClock < lowest {
				lowest = g.LowClock
			}
			for _, why := range g.Slowed {
				if !slices.Contains(reasons, why) {
					reasons = append(reasons, why)
				}
			}
		}
	}
	var seen []string
	if slowed > 0 {
		seen = append(seen, fmt.Sprintf("in %d of %s a GPU was slowed down by %s, at worst to %d MHz",
			slowed, format.Count(len(row.Trials), "trial"), format.List(reasons), lowest))
	}
	return newCheck(journal.CheckClocks, seen)
}
