package report

import (
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/journal"
	"vllmgo/internal/format"
)

// Check is whether a point's figures meet a condition for being valid.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Detail says what was seen, when it did not pass.
	Detail string `json:"detail,omitempty"`
}

const (
	// otherLoad is the greatest share of the machine's cores that may be busy with something else in a trial.
	otherLoad = 0.05
	// loadBefore is the greatest load average before the run's first engine is loaded, as a share of the machine's cores.
	// It is half of them, since what ended a moment ago, such as a compiler, is still in the average.
	loadBefore = 0.5
	// stolen is the greatest share of CPU time that a hypervisor may give to others, or a quota hold back.
	stolen = 0.01
)

// newChecks are the checks of a point that has trials. violated is the one that a further trial failed; its name is
// empty when none did.
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
	if len(row.Trials[0].Usage.GPUs) > 0 {
		checks = append(checks, checkClocks(row))
	}
	return checks
}

// newCheck passes when nothing was seen.
func newCheck(name string, seen []string) Check {
	return Check{Name: name, Passed: len(seen) == 0, Detail: strings.Join(seen, "; ")}
}

// checkPreemption compares the KV cache of each engine that measured the point with the point's peak demand.
// Throughput runs without the engine's statistics, which would count preemptions.
func checkPreemption(j *journal.Journal, row Row) Check {
	var seen []string
	for _, e := range j.Engines {
		if peak := row.trialOf(e.Number).PeakKVTokens; e.Info.KVCacheTokens < peak {
			seen = append(seen, fmt.Sprintf("requests may have been preempted: the KV cache holds %d tokens, the point's peak demand is %d",
				e.Info.KVCacheTokens, peak))
		}
	}
	return newCheck(journal.CheckPreemption, seen)
}

func checkEngine(row Row) Check {
	var seen []string
	for _, t := range row.Trials {
		if t.Engine != row.Engine {
			seen = []string{fmt.Sprintf("engine %d ran the first trial, engine %d the last", row.Engine, row.Trials[len(row.Trials)-1].Engine)}
		}
	}
	return newCheck(journal.CheckEngine, seen)
}

// checkLoad looks for trials in which others used the machine, and for GPUs that others used.
func checkLoad(j *journal.Journal, row Row) Check {
	var usages []journal.Usage
	for _, t := range row.Trials {
		usages = append(usages, t.Usage)
	}
	seen := loaded(j, "trial", usages)
	cores := float64(max(1, j.Header.Machine.Cores))
	for _, e := range j.Engines {
		if row.trialOf(e.Number).Engine != e.Number {
			continue
		}
		if e.OtherGPUProcesses > 0 {
			seen = append(seen, fmt.Sprintf("%s of others computed on the GPUs before engine %d was loaded", format.Count(e.OtherGPUProcesses, "process"), e.Number))
		}
		if e.Number == 1 && e.OtherLoadAverage > loadBefore*cores {
			seen = append(seen, fmt.Sprintf("in the minute before engine 1 was loaded, others' load average was %.2f, above %.0f %% of %s",
				e.OtherLoadAverage, 100*loadBefore, format.Count(j.Header.Machine.Cores, "core")))
		}
	}
	return newCheck(journal.CheckLoad, seen)
}

// loaded says in how many trials or passes others used the machine, with the worst; nothing when in none.
func loaded(j *journal.Journal, noun string, usages []journal.Usage) []string {
	cores := float64(max(1, j.Header.Machine.Cores))
	times, onGPU, mostProcesses := 0, 0, 0
	worst, most := journal.Usage{}, 0.0
	for _, u := range usages {
		excess := max(u.OtherCores/cores/otherLoad, u.Steal/stolen, u.Throttled/stolen)
		if excess > 1 {
			times++
		}
		if excess > most {
			worst, most = u, excess
		}
		others := 0
		for _, g := range u.GPUs {
			others = max(others, g.OtherProcesses)
		}
		if others > 0 {
			onGPU++
		}
		mostProcesses = max(mostProcesses, others)
	}
	var seen []string
	if times > 0 {
		seen = append(seen, fmt.Sprintf("in %d of %s; at worst others kept %.2f cores busy, the hypervisor took %.1f %%, a quota held back %.1f %%",
			times, format.Count(len(usages), noun), worst.OtherCores, 100*worst.Steal, 100*worst.Throttled))
	}
	if onGPU > 0 {
		seen = append(seen, fmt.Sprintf("in %d of %s others computed on a GPU, at worst %s", onGPU, format.Count(len(usages), noun), format.Count(mostProcesses, "process")))
	}
	return seen
}

// checkClocks looks for trials in which a GPU was slowed down.
func checkClocks(row Row) Check {
	slowed, lowest, reasons := 0, 0, []string(nil)
	for _, t := range row.Trials {
		found := false
		for _, g := range t.Usage.GPUs {
			if len(g.Slowed) == 0 {
				continue
			}
			found = true
			if lowest == 0 || g.LowClock < lowest {
				lowest = g.LowClock
			}
			for _, why := range g.Slowed {
				if !slices.Contains(reasons, why) {
					reasons = append(reasons, why)
				}
			}
		}
		if found {
			slowed++
		}
	}
	var seen []string
	if slowed > 0 {
		seen = append(seen, fmt.Sprintf("in %d of %s a GPU was slowed down by %s, at worst to %d MHz",
			slowed, format.Count(len(row.Trials), "trial"), format.List(reasons), lowest))
	}
	return newCheck(journal.CheckClocks, seen)
}
