package report

import (
	"slices"
	"strconv"

	"vllmgo/bench/workload"
)

// line is rows of a study that differ in the first axis alone.
type line struct {
	name string // the coordinates that the rows share, such as "dtype=float16"; empty without any
	rows []Row
}

// lines returns the rows of a study as lines, one for each combination of values of all axes but
// the first. A study of one axis has one line. The rows of a line are called by the first axis
// alone, as if it were the only one.
func lines(rows []Row) []line {
	var all []line
	for _, row := range rows {
		name := ""
		if len(row.Coordinates) > 1 {
			name = workload.CoordinatesText(row.Coordinates[1:])
			row.Coordinates = row.Coordinates[:1]
			if n, err := strconv.Atoi(row.Coordinates[0].Text()); err == nil {
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
