package race

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Kind is a way to run requests.
type Kind string

const (
	// VLLMGo calls vllmgo's LLM.Generate.
	VLLMGo Kind = "vllmgo"
	// Python calls vllm.LLM.generate in plain Python. With data_parallel_size above 1, which
	// vllm.LLM refuses, it is a script of processes that have an engine and a part of the prompts
	// each.
	Python Kind = "python"
	// HTTP sends each prompt to vLLM's server, all at once, from Go. With data_parallel_size above
	// 1, there are as many servers, which get prompts in turn.
	HTTP Kind = "http"
	// Throughput runs `vllm bench throughput`. It loads the model for each point, draws its own
	// random prompts and does not warm up.
	Throughput Kind = "throughput"
	// ThroughputWarm is Throughput with as many warm-up requests as measured ones.
	ThroughputWarm Kind = "throughput-warm"
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{VLLMGo, Python, HTTP, Throughput, ThroughputWarm} }

// perPoint reports whether the kind loads a process for each point.
func (k Kind) perPoint() bool { return k == Throughput || k == ThroughputWarm }

// needsTokenizer reports whether the kind does not run without a tokenizer.
func (k Kind) needsTokenizer() bool { return k.perPoint() || k == HTTP }

// Contender takes part in a race.
type Contender struct {
	// Name identifies the contender in tables and in the names of its files; see [ParseContender].
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Program is the path of the program to run: for VLLMGo and HTTP in place of this program, such
	// as another build of it, and for the other kinds in place of the race's Python.
	Program string `json:"program,omitempty"`
	// Engine and Env are the contender's own settings, as in [workload.Set].
	Engine map[string]any    `json:"engine,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
}

// ParseContender parses "KIND" or "NAME:KIND,SETTING=VALUE,…", where a setting is an engine
// argument, env.VARIABLE or program.
//
// The name is the kind if it is not given. It becomes part of file names. So it must consist of
// ASCII letters, digits, ".", "_" and "-", must not begin with ".", and must not be longer than 100
// characters.
func ParseContender(text string) (Contender, error) {
	first, settings, more := strings.Cut(text, ",")
	name, kind, found := strings.Cut(first, ":")
	if !found {
		kind = name
	}
	c := Contender{Name: name, Kind: Kind(kind)}
	if err := c.check(); err != nil {
		return c, err
	}
	if !more {
		return c, nil
	}
	for setting := range strings.SplitSeq(settings, ",") {
		if err := c.set(setting); err != nil {
			return c, fmt.Errorf("contender %s: %w", c.Name, err)
		}
	}
	// A value of the wrong type is then an error before anything loads.
	_, err := c.args(vllmgo.EngineArgs{})
	return c, err
}

// names matches what a contender can be called.
var names = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`)

// check returns an error if the contender's kind does not exist or its name cannot be part of a
// file name.
func (c Contender) check() error {
	if !slices.Contains(Kinds(), c.Kind) {
		return fmt.Errorf("no contender %q: kind %q is not one of %v; "+
			"for example python or tuned:vllmgo,max_num_seqs=64,env.OMP_NUM_THREADS=2", c.Name, c.Kind, Kinds())
	}
	if !names.MatchString(c.Name) {
		return fmt.Errorf("contender %q: the name becomes part of file names; it must be 1 to 100 letters "+
			`(A to Z, a to z), digits, ".", "_" and "-", and must not begin with "."`, c.Name)
	}
	return nil
}

// set parses "SETTING=VALUE".
func (c *Contender) set(setting string) error {
	key, value, found := strings.Cut(setting, "=")
	if !found || key == "" {
		return fmt.Errorf("no setting %q; an example: max_num_seqs=64", setting)
	}
	variable, isVariable := strings.CutPrefix(key, "env.")
	switch {
	case key == "program":
		c.Program = value
	case isVariable && variable == "":
		return errors.New("env. lacks the name of a variable; an example: env.OMP_NUM_THREADS=2")
	case isVariable:
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		c.Env[variable] = value
	default:
		if c.Engine == nil {
			c.Engine = map[string]any{}
		}
		c.Engine[key] = workload.ParseValue(value)
	}
	return nil
}

// args returns base with the contender's engine arguments.
func (c Contender) args(base vllmgo.EngineArgs) (vllmgo.EngineArgs, error) {
	args, err := workload.Set{Engine: c.Engine}.EngineArgs(base)
	if err != nil {
		err = fmt.Errorf("contender %s: %w", c.Name, err)
	}
	return args, err
}

// resultFile returns the name of the file to which a process of the throughput benchmark writes its
// result.
func (c Contender) resultFile() string { return c.Name + ".throughput.json" }
