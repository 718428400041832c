package workload

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"vllmgo/internal/nearest"
	"vllmgo/vllmgo"
)

// Set holds settings that a point has beyond those of its study and of the run.
type Set struct {
	// Engine has engine arguments by vLLM's names, such as "max_num_seqs" or "dtype", and
	// "engine_mode"; see [vllmgo.EngineArgs.Set].
	Engine map[string]any `json:"engine,omitempty"`
	// Sampling has sampling parameters by vLLM's names, such as "temperature"; see
	// [vllmgo.SamplingParams.Set]. The lengths of outputs must stay exact.
	Sampling map[string]any `json:"sampling,omitempty"`
	// Env has environment variables. They must be in effect before Python starts, so each engine
	// needs a process for itself.
	Env map[string]string `json:"env,omitempty"`
}

// EngineArgs returns base with the set's engine arguments.
func (s Set) EngineArgs(base vllmgo.EngineArgs) (vllmgo.EngineArgs, error) {
	for _, name := range slices.Sorted(maps.Keys(s.Engine)) {
		if err := base.Set(name, s.Engine[name]); err != nil {
			return base, fmt.Errorf("bench: engine setting %s=%s: %w", name, settingText(s.Engine[name]), err)
		}
	}
	return base, nil
}

// SamplingParams returns base with the set's sampling parameters.
func (s Set) SamplingParams(base vllmgo.SamplingParams) (vllmgo.SamplingParams, error) {
	for _, name := range slices.Sorted(maps.Keys(s.Sampling)) {
		if err := base.Set(name, s.Sampling[name]); err != nil {
			return base, fmt.Errorf("bench: sampling setting %s=%s: %w", name, settingText(s.Sampling[name]), err)
		}
	}
	return base, nil
}

// ownFields are the settings that are a field of the point itself.
var ownFields = map[string]func(p *Point) *int{
	"requests":      func(p *Point) *int { return &p.Requests },
	"input_len":     func(p *Point) *int { return &p.InputLen },
	"output_len":    func(p *Point) *int { return &p.OutputLen },
	"shared_prefix": func(p *Point) *int { return &p.SharedPrefix },
}

// variable is the form of an environment variable's name, as POSIX has it.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// SettingName returns the one name of a setting, which is named as an [Axis] is. An engine argument
// has two, such as "max_num_seqs" and "engine.max_num_seqs"; SettingName returns the second.
func SettingName(name string) string {
	if _, own := ownFields[name]; own || strings.Contains(name, ".") {
		return name
	}
	return "engine." + name
}

// with returns the point with one more setting, which is named as an [Axis] is.
func (p Point) with(name string, value any) (Point, error) {
	if p.Lengths != nil && (name == "requests" || name == "input_len" || name == "output_len") {
		return p, fmt.Errorf("bench: %s cannot vary when each request has its own length", name)
	}
	if field, ok := ownFields[name]; ok {
		number, err := strconv.Atoi(settingText(value))
		if err != nil {
			return p, fmt.Errorf("bench: %s=%s: the value must be an integer", name, settingText(value))
		}
		*field(&p) = number
		return p, nil
	}
	prefix, key, _ := strings.Cut(SettingName(name), ".")
	if hint := nearest.Hint(name, slices.Collect(maps.Keys(ownFields))); hint != "" {
		return p, fmt.Errorf("bench: no setting %q%s", name, hint)
	}
	switch prefix {
	case "sampling":
		p.Set.Sampling = with(p.Set.Sampling, key, value)
	case "env":
		if !variable.MatchString(key) {
			return p, fmt.Errorf("bench: %s=%s: %q cannot be the name of an environment variable; "+
				"an example: env.OMP_NUM_THREADS",
				name, settingText(value), key)
		}
		p.Set.Env = with(p.Set.Env, key, settingText(value))
	case "engine":
		if key == "model" || key == "tokenizer" {
			return p, errors.New(
				"bench: " + key + " must be the same for a whole run, because the requests depend on it: " +
					"measure each in its own run",
			)
		}
		p.Set.Engine = with(p.Set.Engine, key, value)
	default:
		return p, fmt.Errorf(
			"bench: no axis %q: the prefix must be engine., sampling. or env., as in sampling.temperature",
			name,
		)
	}
	return p, nil
}

// with returns a copy of m in which key has the value.
func with[V any](m map[string]V, key string, value V) map[string]V {
	m = maps.Clone(m)
	if m == nil {
		m = make(map[string]V)
	}
	m[key] = value
	return m
}
