package race

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"vllmgo/bench/internal/same"
	"vllmgo/vllmgo"
)

// commandLine returns engine arguments as flags of vLLM's programs, sorted by name. EngineMode has
// no flag.
func commandLine(args vllmgo.EngineArgs) ([]string, error) {
	values, err := same.Members(args)
	if err != nil {
		return nil, err
	}
	delete(values, "engine_mode")
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		flags = append(flags, flag(strings.ReplaceAll(name, "_", "-"), values[name])...)
	}
	return flags, nil
}

// flag returns the flag for a JSON value: --name or --no-name for a bool, --name=VALUE for a
// string, number or object, and --name VALUE… for an array.
func flag(name string, value json.RawMessage) []string {
	switch string(value) {
	case "true":
		return []string{"--" + name}
	case "false":
		return []string{"--no-" + name}
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil && list != nil {
		flags := []string{"--" + name}
		for _, item := range list {
			flags = append(flags, flagValue(item))
		}
		return flags
	}
	return []string{"--" + name + "=" + flagValue(value)}
}

// flagValue returns the text of a JSON string, and other JSON as it is.
func flagValue(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		return string(value)
	}
	return text
}
