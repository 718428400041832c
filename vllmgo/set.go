package vllmgo

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"vllmgo/internal/nearest"
)

// Set sets the argument that has a name in Python, such as "max_num_seqs": a field, EngineMode as
// "engine_mode", or an entry of Extra for any other name. It returns an error when the value does
// not fit the field, and for a name that is almost that of a field: set Extra for an argument that
// is called so.
func (a *EngineArgs) Set(name string, value any) error {
	if name == "engine_mode" {
		return setField(&a.EngineMode, value)
	}
	names := slices.Collect(jsonNames(reflect.TypeFor[EngineArgs]()))
	if !slices.Contains(names, name) {
		if hint := nearest.Hint(name, append(names, "engine_mode")); hint != "" {
			return errors.New("there is no such argument" + hint)
		}
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
	names := slices.Collect(jsonNames(reflect.TypeFor[SamplingParams]()))
	if !slices.Contains(names, name) {
		return errors.New("there is no such field" + nearest.Hint(name, names))
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
	err = json.Unmarshal(text, target)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("the value is a %s; it must be %s", wrong.Value, formOf(wrong.Type))
	}
	return err
}

// formOf returns what a value of a type is in JSON.
func formOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	return "an object"
}
