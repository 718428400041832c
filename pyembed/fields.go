//go:build cgo

package pyembed

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// structField is a field of a struct that Python sees.
type structField struct {
	name                string
	index               []int
	omitEmpty, omitZero bool
}

// structType is what is known of a struct's type, or why it has no Python form.
type structType struct {
	fields []structField
	byName map[string]*structField
	err    error
}

var structTypes sync.Map // of reflect.Type to *structType

// structFields returns the fields of a struct's type. The py tag gives a field's name and, after
// commas, the options omitempty and omitzero, as encoding/json's does. The tag "-" leaves a field
// out. Without a name, the field's own is used, and an embedded struct's fields are the outer
// one's.
func structFields(t reflect.Type) *structType {
	if known, ok := structTypes.Load(t); ok {
		return known.(*structType)
	}
	s := &structType{byName: map[string]*structField{}}
	depths := map[string]int{}
	s.collect(t, nil, depths, map[reflect.Type]bool{})
	if s.err == nil && len(s.fields) == 0 && t.NumField() > 0 {
		s.err = fmt.Errorf("a Go %s has no Python form: it has no exported fields", t)
	}
	for i := range s.fields {
		s.byName[s.fields[i].name] = &s.fields[i]
	}
	structTypes.Store(t, s)
	return s
}

// collect adds the fields of a struct's type, which is embedded at an index of the outermost one.
// around has the types that it is embedded in: a type that embeds itself has its fields once, since
// those of an outer struct hide it.
func (s *structType) collect(t reflect.Type, index []int, depths map[string]int, around map[reflect.Type]bool) {
	if around[t] {
		return
	}
	around[t] = true
	defer delete(around, t)
	for i := range t.NumField() {
		field := t.Field(i)
		tag := field.Tag.Get("py")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		path := append(append([]int(nil), index...), i)
		if embedded := embeddedStruct(field); embedded != nil && name == "" {
			s.collect(embedded, path, depths, around)
			continue
		}
		if !field.IsExported() {
			continue
		}
		found := structField{name: name, index: path}
		if name == "" {
			found.name = field.Name
		}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "omitempty":
				found.omitEmpty = true
			case "omitzero":
				found.omitZero = true
			default:
				s.err = fmt.Errorf("field %s of %s: the py tag has the unknown option %q", field.Name, t, option)
			}
		}
		s.add(t, found, depths)
	}
}

// add adds a field. Of two with one name, the outer one hides that of an embedded struct.
func (s *structType) add(t reflect.Type, found structField, depths map[string]int) {
	depth, taken := depths[found.name]
	switch {
	case !taken:
		s.fields = append(s.fields, found)
	case depth == len(found.index):
		s.err = fmt.Errorf("two fields of %s have the Python name %q", t, found.name)
		return
	case depth < len(found.index):
		return
	default:
		for i := range s.fields {
			if s.fields[i].name == found.name {
				s.fields[i] = found
			}
		}
	}
	depths[found.name] = len(found.index)
}

// embeddedStruct returns the struct type that a field embeds, by value or pointer, or nil.
func embeddedStruct(field reflect.StructField) reflect.Type {
	t := field.Type
	if !field.Anonymous {
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == timeType || t == bigIntType {
		return nil
	}
	return t
}

// omit reports whether the field is left out of a dict for its value.
func (f *structField) omit(v reflect.Value) bool {
	if f.omitZero && v.IsZero() {
		return true
	}
	if !f.omitEmpty {
		return false
	}
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
