package bench

import (
	"os"

	"vllmgo/vllmgo"
)

// EngineGroup are points that share an engine, of one study or several.
type EngineGroup struct {
	// Args are the engine's settings. On a CPU, they have the KV cache's size.
	Args vllmgo.EngineArgs
	// Env are environment variables that must be in effect before Python starts.
	Env map[string]string
	// Points are in order of first appearance.
	Points []Point
}

// EngineGroups are the engines that Run would load for studies, with their points: base with the settings of each study
// and point. On a device "cpu", model says how large the KV cache must be; one that does not fit into the memory that is
// free is an error.
func EngineGroups(studies []Study, base vllmgo.EngineArgs, device string, model vllmgo.ModelConfig) ([]EngineGroup, error) {
	groups, err := groupByEngine(studies, base)
	if err != nil {
		return nil, err
	}
	if device != "cpu" {
		return groups, nil
	}
	for i, g := range groups {
		available, err := availableMemory()
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
