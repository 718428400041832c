package report

import (
	"bytes"
	"slices"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"vllmgo/bench/internal/format"
)

// narrowTable is a table that is made as narrow as is asked for.
type narrowTable struct {
	header []string
	rows   [][]string
	// flexible is the column whose cells are broken between words. All others are as they are.
	flexible int
	// textColumns is the number of columns with text, from the left.
	textColumns int
}

// write writes the table, of at most width columns unless the columns that are not flexible need
// more.
func (t narrowTable) write(b *bytes.Buffer, caption string, width int) error {
	lines := slices.Concat([][]string{t.header}, t.rows)
	room := width - 1
	for i := range t.header {
		room -= 3 // a border and the space around the cell
		if i != t.flexible {
			room -= widest(lines, i)
		}
	}
	for _, line := range lines {
		line[t.flexible] = format.Wrap(line[t.flexible], room)
	}
	return format.Table(b, caption, t.header, t.rows, t.textColumns)
}

// widest returns the width of the widest cell of a column.
func widest(lines [][]string, column int) int {
	most := 0
	for _, line := range lines {
		most = max(most, twwidth.Width(line[column]))
	}
	return most
}
