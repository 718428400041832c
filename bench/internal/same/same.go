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
