package workload

import (
	"encoding/json"
	"strings"
)

// UnmarshalJSON decodes a study. It fills in what older programs wrote in another form: labels
// instead of coordinates, and names instead of sweeps. A name alone makes no sweep: the points must
// be those of the sweep.
func (s *Study) UnmarshalJSON(text []byte) error {
	type study Study // without this method
	if err := json.Unmarshal(text, (*study)(s)); err != nil {
		return err
	}
	var older struct{ Points []struct{ Label string } }
	if err := json.Unmarshal(text, &older); err != nil {
		return err
	}
	for i, p := range older.Points {
		if p.Label != "" {
			s.Points[i].Coordinates = parseLabel(p.Label)
		}
	}
	if sweep := Sweep(s.Name); s.Sweep == "" && s.is(sweep) {
		s.Sweep = sweep
	}
	return nil
}

// parseLabel returns the coordinates in a label, such as "max_num_seqs=8, dtype=float16".
func parseLabel(label string) []Coordinate {
	var all []Coordinate
	for part := range strings.SplitSeq(label, ", ") {
		axis, value, _ := strings.Cut(part, "=")
		all = append(all, Coordinate{axis, ParseValue(value)})
	}
	return all
}
