package race

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"vllmgo/vllmgo"
)

// commandLine returns engine arguments as flags of vLLM's programs, sorted by name. EngineMode has
// no flag.
func commandLine(args vllmgo.EngineArgs) ([]string, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, err
	}
	delete(values, "engine_mode")
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		flags = append(flags, flag(strings.ReplaceAll(name, "_", "-"), values[name]))
	}
	return flags, nil
}

// flag returns the flag for a JSON value: --name or --no-name for a bool, --name=text for a string,
// and
// --name=JSON for any other value.
func flag(name string, value json.RawMessage) string {
	switch string(value) {
	case "true":
		return "--" + name
	case "false":
		return "--no-" + name
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	return "--" + name + "=" + text
}
