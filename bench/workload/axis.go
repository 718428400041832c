package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"vllmgo/vllmgo"
)

// Set are a point's own settings, beyond those of its study and of the run.
type Set struct {
	// Engine are vllmgo.EngineArgs by the names that vLLM gives them, such as "max_num_seqs" or "dtype", and
	// "engine_mode". A name without a field goes into EngineArgs.Extra.
	Engine map[string]any `json:"engine,omitempty"`
	// Sampling are vllmgo.SamplingParams by their names, such as "temperature". The lengths of outputs must stay
	// exact.
	Sampling map[string]any `json:"sampling,omitempty"`
	// Env are environment variables, which must be in effect before Python starts: measure with a process for each
	// engine, as the programs do.
	Env map[string]string `json:"env,omitempty"`
}

// Axis is something that a study varies: its name and its values.
//
// The name is "requests", "input_len", "output_len" or "shared_prefix"; "sampling.NAME" for a field of
// vllmgo.SamplingParams; "env.NAME" for an environment variable; or, with or without "engine." before it, the name
// of an engine argument.
type Axis struct {
	Name   string
	Values []any
}

// ParseAxis reads "name=value,value,…". A value is JSON, such as 8, 0.5, true or "text", or else the text itself.
func ParseAxis(text string) (Axis, error) {
	name, values, found := strings.Cut(text, "=")
	if !found || name == "" || values == "" {
		return Axis{}, fmt.Errorf("bench: no axis %q; examples: max_num_seqs=8,16,32 or sampling.temperature=0,1 or env.OMP_NUM_THREADS=1,2", text)
	}
	a := Axis{Name: name}
	for value := range strings.SplitSeq(values, ",") {
		a.Values = append(a.Values, ParseValue(value))
	}
	return a, nil
}

// ParseValue reads a value: JSON or else the text itself.
func ParseValue(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return text
	}
	return value
}

// NewStudy is a study of every combination of the axes' values, each in base; without axes, of base alone.
//
// With one axis of integers the points' values are those, and otherwise they count the points from 1. Point.Label
// has the setting. Base gives what no axis varies; max_num_seqs is 256 and max_num_batched_tokens
// 8192 unless Base.Set or an axis says otherwise. A value that does not fit its setting is an error.
func NewStudy(name string, base Point, axes ...Axis) (Study, error) {
	base.Study, base.Value = name, 1
	s := Study{Name: name, Parameter: "point", Unit: "number", MaxNumBatchedTokens: 8192, MaxNumSeqs: 256, Points: []Point{base}}
	for _, a := range axes {
		var points []Point
		for _, p := range s.Points {
			for _, value := range a.Values {
				next, err := p.with(a.Name, value)
				if err != nil {
					return Study{}, err
				}
				next.Label = strings.TrimPrefix(fmt.Sprintf("%s, %s=%s", p.Label, a.Name, settingText(value)), ", ")
				next.Value = len(points) + 1
				points = append(points, next)
			}
		}
		s.Points = points
	}
	if len(axes) == 1 {
		s.Parameter, s.Unit = axes[0].Name, "value"
		if values, ok := integers(axes[0].Values); ok {
			for i := range s.Points {
				s.Points[i].Value = values[i]
			}
		}
	}
	return s, s.Validate()
}

// With is the study with a setting, named as an axis is, for all of its points.
func (s Study) With(name string, value any) (Study, error) {
	s.Points = slices.Clone(s.Points)
	for i, p := range s.Points {
		var err error
		if s.Points[i], err = p.with(name, value); err != nil {
			return s, err
		}
	}
	return s, s.Validate()
}

func put[V any](m map[string]V, key string, value V) map[string]V {
	if m == nil {
		m = make(map[string]V)
	}
	m[key] = value
	return m
}

// integers are the values as ints, if all are whole numbers.
func integers(values []any) ([]int, bool) {
	var ints []int
	for _, value := range values {
		n, err := strconv.Atoi(settingText(value))
		if err != nil {
			return nil, false
		}
		ints = append(ints, n)
	}
	return ints, true
}

// settingText is a value as tables show it.
func settingText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// setEngine is args with further settings.
func setEngine(args vllmgo.EngineArgs, set map[string]any) (vllmgo.EngineArgs, error) {
	args.Extra = maps.Clone(args.Extra)
	for name, value := range set {
		if name == "engine_mode" {
			args.EngineMode = vllmgo.EngineMode(settingText(value))
			continue
		}
		known, err := setField(&args, name, value)
		if err != nil {
			return args, fmt.Errorf("bench: engine setting %s=%s: %w", name, settingText(value), err)
		}
		if !known {
			args.Extra = put(args.Extra, name, value)
		}
	}
	return args, nil
}

// SetSampling is params with further settings.
func SetSampling(params vllmgo.SamplingParams, set map[string]any) (vllmgo.SamplingParams, error) {
	for name, value := range set {
		known, err := setField(&params, name, value)
		if err == nil && !known {
			err = errors.New("there is no such field")
		}
		if err != nil {
			return params, fmt.Errorf("bench: sampling setting %s=%s: %w", name, settingText(value), err)
		}
	}
	return params, nil
}

// setField sets the field of a struct that has a name in JSON, and reports whether there is one.
func setField(target any, name string, value any) (known bool, err error) {
	text, err := json.Marshal(value)
	if err != nil {
		return false, err
	}
	fields := reflect.ValueOf(target).Elem()
	for i := range fields.NumField() {
		if tag, _, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ","); tag == name {
			return true, json.Unmarshal(text, fields.Field(i).Addr().Interface())
		}
	}
	return false, nil
}
