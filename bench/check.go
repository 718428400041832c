package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The names of the checks, in the order of Row.Checks.
const (
	// CheckPrompts: the engine saw the prompts that were sent, token for token.
	CheckPrompts = "prompts"
	// CheckCounts: it generated exactly as many tokens as were asked for.
	CheckCounts = "counts"
	// CheckFinish: each request finished because it had its length.
	CheckFinish = "finish reason"
	// CheckCache: no token came from the prefix cache.
	CheckCache = "prefix cache"
	// CheckPreemption: the KV cache holds the point's peak demand, so that no request was preempted.
	CheckPreemption = "preemption"
	// CheckEngine: one engine ran all trials.
	CheckEngine = "one engine"
	// CheckLoad: nothing else used the machine: its cores, its GPUs, the hypervisor's share of it.
	CheckLoad = "other load"
	// CheckClocks: no GPU ran slower than it could because of heat or a power limit. Without a GPU there is no
	// such check.
	CheckClocks = "clocks"
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

// mismatch is an output that is not what was asked for: a check that failed, and with it the point.
type mismatch struct {
	check string
	error
}

func mismatchf(check, format string, args ...any) error {
	return mismatch{check, fmt.Errorf(format, args...)}
}

// checkOf is the check that an error says has failed; empty when it is an error of another kind.
func checkOf(err error) string {
	m, _ := errors.AsType[mismatch](err)
	return m.check
}

// newChecks are the checks of a point that has trials. violated is the one that a further trial failed; its name is
// empty when none did.
func newChecks(j *Journal, row Row, violated Check) []Check {
	var checks []Check
	for _, name := range []string{CheckPrompts, CheckCounts, CheckFinish, CheckCache} {
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
func checkPreemption(j *Journal, row Row) Check {
	var seen []string
	for _, e := range j.Engines {
		if peak := row.trialOf(e.Number).PeakKVTokens; e.Info.KVCacheTokens < peak {
			seen = append(seen, fmt.Sprintf("requests may have been preempted: the KV cache holds %d tokens, the point's peak demand is %d",
				e.Info.KVCacheTokens, peak))
		}
	}
	return newCheck(CheckPreemption, seen)
}

func checkEngine(row Row) Check {
	var seen []string
	for _, t := range row.Trials {
		if t.Engine != row.Engine {
			seen = []string{fmt.Sprintf("engine %d ran the first trial, engine %d the last", row.Engine, row.Trials[len(row.Trials)-1].Engine)}
		}
	}
	return newCheck(CheckEngine, seen)
}

// checkLoad looks for trials in which others used the machine, and for GPUs that others used.
func checkLoad(j *Journal, row Row) Check {
	var usages []Usage
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
			seen = append(seen, fmt.Sprintf("%s of others computed on the GPUs before engine %d was loaded", count(e.OtherGPUProcesses, "process"), e.Number))
		}
		if e.Number == 1 && e.OtherLoadAverage > loadBefore*cores {
			seen = append(seen, fmt.Sprintf("in the minute before engine 1 was loaded, others' load average was %.2f, above %.0f %% of %s",
				e.OtherLoadAverage, 100*loadBefore, count(j.Header.Machine.Cores, "core")))
		}
	}
	return newCheck(CheckLoad, seen)
}

// loaded says in how many trials or passes others used the machine, with the worst; nothing when in none.
func loaded(j *Journal, noun string, usages []Usage) []string {
	cores := float64(max(1, j.Header.Machine.Cores))
	times, onGPU, mostProcesses := 0, 0, 0
	worst, most := Usage{}, 0.0
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
			times, count(len(usages), noun), worst.OtherCores, 100*worst.Steal, 100*worst.Throttled))
	}
	if onGPU > 0 {
		seen = append(seen, fmt.Sprintf("in %d of %s others computed on a GPU, at worst %s", onGPU, count(len(usages), noun), count(mostProcesses, "process")))
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
			slowed, count(len(row.Trials), "trial"), list(reasons), lowest))
	}
	return newCheck(CheckClocks, seen)
}

// trialOf is the row's first trial on an engine; the zero value when it has none.
func (r Row) trialOf(engine int) Trial {
	for _, t := range r.Trials {
		if t.Engine == engine {
			return t
		}
	}
	return Trial{}
}

// failedChecks are the checks that did not pass.
func (r Row) failedChecks() []Check {
	var failed []Check
	for _, c := range r.Checks {
		if !c.Passed {
			failed = append(failed, c)
		}
	}
	return failed
}
