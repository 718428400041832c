package race

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Kind is a way of running requests.
type Kind string

const (
	// VLLMGo calls vllmgo's LLM.Generate.
	VLLMGo Kind = "vllmgo"
	// Python calls vllm.LLM.generate in plain Python.
	Python Kind = "python"
	// HTTP sends each prompt to vLLM's server, all at once, from Go.
	HTTP Kind = "http"
	// Throughput is `vllm bench throughput`, which loads the model for each point, with random prompts of its own and
	// without a warm-up.
	Throughput Kind = "throughput"
	// ThroughputWarm is the same with as many warm-up requests as there are measured ones.
	ThroughputWarm Kind = "throughput-warm"
)

// Kinds are all kinds.
func Kinds() []Kind { return []Kind{VLLMGo, Python, HTTP, Throughput, ThroughputWarm} }

// perPoint says that it loads a process for each point.
func (k Kind) perPoint() bool { return k == Throughput || k == ThroughputWarm }

// NeedsTokenizer says that it does not run without a tokenizer.
func (k Kind) NeedsTokenizer() bool { return k.perPoint() || k == HTTP }

// Contender is one that takes part in a race.
type Contender struct {
	// Name is what tables call it.
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Program is what runs it instead of this program, such as another build of it, or instead of the race's Python.
	Program string `json:"program,omitempty"`
	// Engine and Env are settings of its own, as in bench.Set.
	Engine map[string]any    `json:"engine,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
}

// ParseContender reads "KIND" or "NAME:KIND,SETTING=VALUE,…". A setting is an engine argument, env.NAME or program.
func ParseContender(text string) (Contender, error) {
	parts := strings.Split(text, ",")
	name, kind, found := strings.Cut(parts[0], ":")
	if !found {
		kind = name
	}
	c := Contender{Name: name, Kind: Kind(kind)}
	known := false
	for _, k := range Kinds() {
		known = known || k == c.Kind
	}
	if !known {
		return c, fmt.Errorf("no contender %q; there are %v, such as python or tuned:vllmgo,max_num_seqs=64,env.OMP_NUM_THREADS=2", text, Kinds())
	}
	for _, part := range parts[1:] {
		key, value, found := strings.Cut(part, "=")
		if !found {
			return c, fmt.Errorf("contender %q: no setting %q; an example: max_num_seqs=64", name, part)
		}
		if variable, ok := strings.CutPrefix(key, "env."); ok {
			if c.Env == nil {
				c.Env = map[string]string{}
			}
			c.Env[variable] = value
			continue
		}
		if key == "program" {
			c.Program = value
			continue
		}
		if c.Engine == nil {
			c.Engine = map[string]any{}
		}
		c.Engine[key] = workload.ParseValue(value)
	}
	return c, nil
}

// args are the engine's settings with the contender's own.
func (c Contender) args(base vllmgo.EngineArgs) (vllmgo.EngineArgs, error) {
	text, err := json.Marshal(base)
	if err != nil {
		return base, err
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &all); err != nil {
		return base, err
	}
	maps.Copy(all, c.Engine)
	if text, err = json.Marshal(all); err != nil {
		return base, err
	}
	var args vllmgo.EngineArgs
	if err := json.Unmarshal(text, &args); err != nil {
		return base, fmt.Errorf("contender %s: %w", c.Name, err)
	}
	return args, nil
}

// commandLine are engine settings as flags of vLLM's programs.
func commandLine(args vllmgo.EngineArgs) ([]string, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	delete(all, "engine_mode")
	var flags []string
	for name, value := range all {
		name = strings.ReplaceAll(name, "_", "-")
		switch string(value) {
		case "true":
			flags = append(flags, "--"+name)
		case "false":
			flags = append(flags, "--no-"+name)
		default:
			text := string(value)
			var s string
			if json.Unmarshal(value, &s) == nil {
				text = s
			}
			flags = append(flags, "--"+name+"="+text)
		}
	}
	return flags, nil
}
