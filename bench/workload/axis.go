package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Axis is something that a study varies: its name and its values.
//
// The name is one of
//
//   - requests, input_len, output_len or shared_prefix, for the fields of [Point];
//   - the name of an engine argument, alone or after "engine.";
//   - "sampling." and the name of a sampling parameter;
//   - "env." and the name of an environment variable.
type Axis struct {
	Name   string
	Values []any
}

// ParseAxis parses "name=value,value,…". See [ParseValue] for the values.
func ParseAxis(text string) (Axis, error) {
	name, values, found := strings.Cut(text, "=")
	if !found || name == "" || values == "" {
		return Axis{}, fmt.Errorf(
			"bench: no axis %q; examples: max_num_seqs=8,16,32 or sampling.temperature=0,1 or env.OMP_NUM_THREADS=1,2",
			text,
		)
	}
	a := Axis{Name: name}
	for value := range strings.SplitSeq(values, ",") {
		a.Values = append(a.Values, ParseValue(value))
	}
	return a, nil
}

// ParseValue returns what text is in JSON, such as 8, 0.5, true or "text", or text itself when it
// is not JSON.
func ParseValue(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return text
	}
	return value
}

// NewStudy returns the study of every combination of the axes' values, each set in base; without
// axes, of base alone.
//
// With one axis of integers the points have its values, otherwise they are numbered from 1. Base
// has what no axis varies. max_num_seqs is 256 and max_num_batched_tokens is 8192, unless base.Set
// or an axis says otherwise. A value that does not fit its setting is an error, and so are two axes
// of one setting, and the name of a [Sweep] without axes.
func NewStudy(name string, base Point, axes ...Axis) (Study, error) {
	if len(axes) == 0 && Sweep(name).fields() != nil {
		return Study{}, fmt.Errorf(
			"bench: a study without axes cannot be called %s, which is a sweep: its point would be "+
				"called %q; choose another name",
			name,
			PointID{name, 1},
		)
	}
	base.Study, base.Value = name, 1
	s := Study{
		Name:                name,
		Parameter:           "point",
		Unit:                "number",
		MaxNumBatchedTokens: 8192,
		MaxNumSeqs:          256,
		Points:              []Point{base},
	}
	for i, a := range axes {
		same := func(b Axis) bool { return SettingName(b.Name) == SettingName(a.Name) }
		if slices.ContainsFunc(axes[:i], same) {
			return Study{}, fmt.Errorf("bench: two axes of %s; give all values to one of them", a.Name)
		}
		for k, value := range a.Values {
			if slices.ContainsFunc(a.Values[:k], func(v any) bool { return settingText(v) == settingText(value) }) {
				return Study{}, fmt.Errorf("bench: axis %s has the value %s twice", a.Name, settingText(value))
			}
		}
		var points []Point
		for _, p := range s.Points {
			for _, value := range a.Values {
				next, err := p.with(a.Name, value)
				if err != nil {
					return Study{}, err
				}
				next.Coordinates = append(slices.Clone(p.Coordinates), Coordinate{a.Name, value})
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

// With returns the study with one more setting, named as an [Axis] is, in all of its points. What
// the study varies is an error: its points would be called by values that they do not have.
func (s Study) With(name string, value any) (Study, error) {
	if s.varies(name) {
		return s, fmt.Errorf("bench: study %s varies %s, so it cannot be %s at all points; leave one of the two out",
			s.Name, name, settingText(value))
	}
	s.Points = slices.Clone(s.Points)
	for i, p := range s.Points {
		var err error
		if s.Points[i], err = p.with(name, value); err != nil {
			return s, err
		}
	}
	return s, s.Validate()
}

// varies reports whether a setting differs from point to point by the study's axes or its sweep.
func (s Study) varies(name string) bool {
	return slices.Contains(s.Sweep.fields(), name) || slices.ContainsFunc(s.Points, func(p Point) bool {
		return slices.ContainsFunc(p.Coordinates, func(c Coordinate) bool {
			return SettingName(c.Axis) == SettingName(name)
		})
	})
}

// integers returns the values as integers, and whether all are.
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
