package bench

import (
	"maps"
	"os"
	"reflect"
	"slices"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// EngineGroup is the points of one or several studies that share an engine.
type EngineGroup struct {
	// Args are the engine's settings. On a CPU they have the size of the KV cache.
	Args vllmgo.EngineArgs
	// Env has the environment variables that must be in effect before Python starts.
	Env map[string]string
	// Points are the points, in the order of the studies.
	Points []workload.Point
}

// EngineGroups returns the engines that [Run] would load for studies, with their points. base has
// the settings of all engines. On the device "cpu", model determines the size of the KV cache. A
// cache that does not fit into the available memory is an error.
func EngineGroups(
	studies []workload.Study,
	base vllmgo.EngineArgs,
	device string,
	model vllmgo.ModelConfig,
) ([]EngineGroup, error) {
	groups, err := groupByEngine(studies, base)
	if err != nil || device != "cpu" {
		return groups, err
	}
	for i, g := range groups {
		if groups[i].Args, _, err = planCPUCacheHere(g.Args, g.Points, model); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// groupByEngine groups the points of all studies by engine settings and environment, in the order
// in which these first appear.
func groupByEngine(studies []workload.Study, base vllmgo.EngineArgs) ([]EngineGroup, error) {
	var groups []EngineGroup
	for _, study := range studies {
		for _, p := range study.Points {
			args, err := study.EngineArgs(base, p)
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(groups, func(g EngineGroup) bool {
				return reflect.DeepEqual(g.Args, args) && maps.Equal(g.Env, p.Set.Env)
			})
			if i < 0 {
				i = len(groups)
				groups = append(groups, EngineGroup{Args: args, Env: p.Set.Env})
			}
			groups[i].Points = append(groups[i].Points, p)
		}
	}
	return groups, nil
}

// missing returns the first variable of the group that has another value in the environment, with
// the value that it needs; empty when there is none.
func (g EngineGroup) missing() string {
	for _, name := range slices.Sorted(maps.Keys(g.Env)) {
		if value, ok := os.LookupEnv(name); !ok || value != g.Env[name] {
			return name + "=" + g.Env[name]
		}
	}
	return ""
}

// unfinished returns the groups with the points that need more trials. It leaves out groups without
// any.
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
