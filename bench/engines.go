package bench

import (
	"maps"
	"os"
	"reflect"
	"slices"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// groupByEngine collects the points of all studies by engine settings and environment, in order of first
// appearance.
func groupByEngine(studies []workload.Study, base vllmgo.EngineArgs) ([]EngineGroup, error) {
	var groups []EngineGroup
	for _, study := range studies {
		for _, p := range study.Points {
			args, err := study.EngineArgs(base, p)
			if err != nil {
				return nil, err
			}
			i := 0
			for i < len(groups) && !(reflect.DeepEqual(groups[i].Args, args) && maps.Equal(groups[i].Env, p.Set.Env)) {
				i++
			}
			if i == len(groups) {
				groups = append(groups, EngineGroup{Args: args, Env: p.Set.Env})
			}
			groups[i].Points = append(groups[i].Points, p)
		}
	}
	return groups, nil
}

// missing is a variable that is not as the group needs it; empty when there is none.
func (g EngineGroup) missing() string {
	for _, name := range slices.Sorted(maps.Keys(g.Env)) {
		if value, ok := os.LookupEnv(name); !ok || value != g.Env[name] {
			return name + "=" + g.Env[name]
		}
	}
	return ""
}

// unfinished leaves out the points, and the groups, of which nothing is left to measure.
func unfinished(groups []EngineGroup, past *journal.Journal) []EngineGroup {
	var rest []EngineGroup
	for _, g := range groups {
		g.Points = slices.DeleteFunc(slices.Clone(g.Points), func(p workload.Point) bool { return past.Finished(p.ID()) })
		if len(g.Points) > 0 {
			rest = append(rest, g)
		}
	}
	return rest
}

// EngineGroup are points that share an engine, of one study or several.
type EngineGroup struct {
	// Args are the engine's settings. On a CPU, they have the KV cache's size.
	Args vllmgo.EngineArgs
	// Env are environment variables that must be in effect before Python starts.
	Env map[string]string
	// Points are in order of first appearance.
	Points []workload.Point
}

// EngineGroups are the engines that Run would load for studies, with their points: base with the settings of each study
// and point. On a device "cpu", model says how large the KV cache must be; one that does not fit into the memory that is
// free is an error.
func EngineGroups(studies []workload.Study, base vllmgo.EngineArgs, device string, model vllmgo.ModelConfig) ([]EngineGroup, error) {
	groups, err := groupByEngine(studies, base)
	if err != nil {
		return nil, err
	}
	if device != "cpu" {
		return groups, nil
	}
	for i, g := range groups {
		available, err := machine.AvailableMemory()
		if err != nil {
			return nil, err
		}
		groups[i].Args, _, err = planCPUCache(g.Args, g.Points, model.WithDtype(g.Args.Dtype), available, os.Getenv(kvSpaceVariable))
		if err != nil {
			return nil, err
		}
	}
	return groups, nil
}
