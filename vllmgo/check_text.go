package vllmgo

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

var (
	errNotUTF8 = errors.New("the text is not valid UTF-8: convert it, for instance with strings.ToValidUTF8")
	errBytes   = errors.New("a []byte has no form in JSON: use a string, or a json.RawMessage for JSON")
)

// checkText returns an error if a value for encoding/json holds text that is not valid UTF-8, or a
// []byte that is not a json.RawMessage. The error names the place.
func checkText(v any) error { return checkValue(reflect.ValueOf(v), 0) }

// maxDepth is far deeper than any value that is not a cycle. encoding/json reports cycles.
const maxDepth = 1000

func checkValue(v reflect.Value, depth int) error {
	if !v.IsValid() || depth > maxDepth {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return errNotUTF8
		}
	case reflect.Pointer, reflect.Interface:
		return checkValue(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				if err := checkValue(v.Field(i), depth+1); err != nil {
					return within(field.Name, err)
				}
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if err := checkValue(entries.Key(), depth+1); err != nil {
				return within("a key", err)
			}
			if err := checkValue(entries.Value(), depth+1); err != nil {
				return within(fmt.Sprintf("[%v]", entries.Key()), err)
			}
		}
	case reflect.Slice, reflect.Array:
		return checkElements(v, depth)
	}
	return nil
}

// checkElements is checkValue for slices and arrays.
func checkElements(v reflect.Value, depth int) error {
	switch elem := v.Type().Elem().Kind(); {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		if !utf8.Valid(v.Bytes()) {
			return errNotUTF8
		}
		return nil
	case v.Kind() == reflect.Slice && elem == reflect.Uint8:
		return errBytes
	case elem >= reflect.Bool && elem <= reflect.Complex128:
		return nil // numbers
	}
	for i := range v.Len() {
		if err := checkValue(v.Index(i), depth+1); err != nil {
			return within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

// within adds a step to the path of an error.
func within(step string, err error) error {
	if inner, ok := err.(*pathError); ok { //nolint:errorlint // the outermost error alone
		separator := "."
		if inner.path[0] == '[' {
			separator = ""
		}
		return &pathError{step + separator + inner.path, inner.err}
	}
	return &pathError{step, err}
}

type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }
