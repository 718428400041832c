// Package engines computes the engines that the points of a run need, and what a journal leaves of
// them.
package engines

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"time"

	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Group is the points of one or several studies that share an engine.
type Group struct {
	// Args are the engine's settings. On a CPU they have the size of the KV cache.
	Args vllmgo.EngineArgs
	// Env has the environment variables that must be in effect before Python starts.
	Env map[string]string
	// Points are the points, in the order of the studies.
	Points []workload.Point
}

// Plan returns the engines that a run loads for studies, with their points. base has the settings
// of all engines. On the device "cpu", model determines the size of the KV cache. A cache that does
// not fit into the available memory is an error.
func Plan(
	studies []workload.Study,
	base vllmgo.EngineArgs,
	device string,
	model vllmgo.ModelConfig,
) ([]Group, error) {
	groups, err := Groups(studies, base)
	if err != nil || device != "cpu" {
		return groups, err
	}
	for i, g := range groups {
		if groups[i].Args, _, err = WithCPUCache(g.Args, g.Points, model); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// Groups groups the points of all studies by engine settings and environment, in the order
// in which these first appear.
func Groups(studies []workload.Study, base vllmgo.EngineArgs) ([]Group, error) {
	var groups []Group
	for _, study := range studies {
		for _, p := range study.Points {
			args, err := study.EngineArgs(base, p)
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(groups, func(g Group) bool {
				return reflect.DeepEqual(g.Args, args) && maps.Equal(g.Env, p.Set.Env)
			})
			if i < 0 {
				i = len(groups)
				groups = append(groups, Group{Args: args, Env: p.Set.Env})
			}
			groups[i].Points = append(groups[i].Points, p)
		}
	}
	return groups, nil
}

// Others returns the times of the points that share an engine with a point. times returns those of
// a point.
func Others(
	groups []Group,
	p workload.PointID,
	times func(workload.PointID) []time.Duration,
) [][]time.Duration {
	var others [][]time.Duration
	for _, g := range groups {
		same := func(q workload.Point) bool { return q.ID() == p }
		if !slices.ContainsFunc(g.Points, same) {
			continue
		}
		for _, q := range g.Points {
			if q.ID() != p {
				others = append(others, times(q.ID()))
			}
		}
	}
	return others
}

// Missing returns the first variable of the group that has another value in the environment, with
// the value that it needs; empty when there is none.
func (g Group) Missing() string {
	for _, name := range slices.Sorted(maps.Keys(g.Env)) {
		if value, ok := os.LookupEnv(name); !ok || value != g.Env[name] {
			return name + "=" + g.Env[name]
		}
	}
	return ""
}
