// Package same finds out whether two runs have the same settings, and what differs.
package same

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Difference is a member that two JSON objects do not agree on. Its values are JSON texts; ""
// stands for a member that is not there.
type Difference struct{ Name, First, Second string }

// String returns the difference as what was before and what is now. It leaves long values out.
func (d Difference) String() string {
	const most = 80
	if len(d.First)+len(d.Second) > 2*most {
		return fmt.Sprintf("its %s have changed", d.Name)
	}
	return fmt.Sprintf("its %s was %s and is now %s", d.Name, cmp.Or(d.First, "not set"), cmp.Or(d.Second, "not set"))
}

// Values returns both values as JSON texts, "not set" for one that is not there. It leaves out what
// long values have in common at their beginning, and all but the beginning of the rest.
func (d Difference) Values() (first, second string) {
	const most, before = 80, 20
	a, b := []rune(cmp.Or(d.First, "not set")), []rune(cmp.Or(d.Second, "not set"))
	common := 0
	for common < min(len(a), len(b)) && a[common] == b[common] {
		common++
	}
	cut := func(value []rune) string {
		if len(value) <= most {
			return string(value)
		}
		from := max(0, min(common, len(value))-before)
		to := min(len(value), from+most)
		text := string(value[from:to])
		if from > 0 {
			text = "…" + text
		}
		if to < len(value) {
			text += "…"
		}
		return text
	}
	return cut(a), cut(b)
}

// Differences returns the members that the JSON objects of two values do not agree on, by name.
// Numbers are compared as JSON texts.
func Differences(first, second any) ([]Difference, error) {
	a, err := Members(first)
	if err != nil {
		return nil, err
	}
	b, err := Members(second)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	var differences []Difference
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if d := (Difference{name, string(a[name]), string(b[name])}); d.First != d.Second {
			differences = append(differences, d)
		}
	}
	return differences, nil
}

// Flat returns the members of a value's JSON object and, in place of each that is an object itself,
// the members of that, by names such as "stopping.target".
func Flat(value any) (map[string]json.RawMessage, error) {
	members, err := Members(value)
	if err != nil {
		return nil, err
	}
	for name, member := range maps.Clone(members) {
		inner, err := Flat(member)
		if err != nil || len(inner) == 0 {
			continue // no object, or one without members
		}
		delete(members, name)
		for innerName, value := range inner {
			members[name+"."+innerName] = value
		}
	}
	return members, nil
}

// Members returns the members of a value's JSON object.
func Members(value any) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	err = json.Unmarshal(text, &m)
	return m, err
}
