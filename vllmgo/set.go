package vllmgo

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
)

// Set sets the argument that has a name in Python, such as "max_num_seqs": a field, EngineMode as
// "engine_mode", or an entry of Extra for any other name. It returns an error when the value does
// not fit the field.
func (a *EngineArgs) Set(name string, value any) error {
	if name == "engine_mode" {
		return setField(&a.EngineMode, value)
	}
	if !slices.Contains(slices.Collect(jsonNames(reflect.TypeFor[EngineArgs]())), name) {
		extra := maps.Clone(a.Extra)
		if extra == nil {
			extra = map[string]any{}
		}
		extra[name] = value
		a.Extra = extra
		return nil
	}
	return setField((*engineArgs)(a), map[string]any{name: value})
}

// Set sets the parameter that has a name in Python, such as "temperature". It returns an error when
// there is no such field or the value does not fit it.
func (p *SamplingParams) Set(name string, value any) error {
	if !slices.Contains(slices.Collect(jsonNames(reflect.TypeFor[SamplingParams]())), name) {
		return errors.New("there is no such field")
	}
	type fields SamplingParams // without UnmarshalJSON
	return setField((*fields)(p), map[string]any{name: value})
}

// setField decodes the JSON of value into target. What value does not name stays as it is.
func setField(target, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, target)
}
