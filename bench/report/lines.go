package report

import (
	"slices"
	"strconv"
	"strings"

	"vllmgo/bench/workload"
)

// parameter returns what the study varies in words: its parameter or, for a grid, its axes.
func (s StudyResult) parameter() string {
	first := s.Rows[0].Coordinates
	if len(first) < 2 {
		return s.Study.Parameter
	}
	var axes []string
	for _, c := range first {
		axes = append(axes, c.Axis)
	}
	return strings.Join(axes, " × ")
}

// line is rows of a study that differ in the first axis alone.
type line struct {
	name string // the coordinates that the rows share, such as "dtype=float16"; empty without any
	rows []Row
}

// lines returns the rows of a study as lines, one for each combination of values of all axes but
// the first. A study of one axis has one line. The rows of a line of several are called by the
// first axis alone, and have its values, or the numbers of its values when these are no integers.
func lines(rows []Row) []line {
	var all []line
	var values []string // of the first axis
	for _, row := range rows {
		name := ""
		if len(row.Coordinates) > 1 {
			name = workload.CoordinatesText(row.Coordinates[1:])
			row.Coordinates = row.Coordinates[:1]
			value := row.Coordinates[0].Text()
			if !slices.Contains(values, value) {
				values = append(values, value)
			}
			row.Value = 1 + slices.Index(values, value)
			if n, err := strconv.Atoi(value); err == nil {
				row.Value = n
			}
		}
		i := slices.IndexFunc(all, func(l line) bool { return l.name == name })
		if i < 0 {
			i = len(all)
			all = append(all, line{name: name})
		}
		all[i].rows = append(all[i].rows, row)
	}
	return all
}
