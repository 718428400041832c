package format

import (
	"encoding/csv"
	"io"

	"vllmgo/internal/plain"
)

// Columns are the columns of a table or a CSV file, from left to right.
type Columns[Row any] struct {
	headers []string
	cells   []func(Row) string
}

// Add adds a column: its header, and the function that returns the cell of a row.
func (c *Columns[Row]) Add(header string, cell func(Row) string) {
	c.headers, c.cells = append(c.headers, plain.Text(header)), append(c.cells, cell)
}

// WriteTable writes the rows as a table; see [Table].
func (c *Columns[Row]) WriteTable(w io.Writer, caption string, rows []Row, textColumns int) error {
	return Table(w, caption, c.headers, c.lines(rows), textColumns)
}

// WriteCSV writes the headers and the rows as CSV.
func (c *Columns[Row]) WriteCSV(w io.Writer, rows []Row) error {
	out := csv.NewWriter(w)
	if err := out.Write(c.headers); err != nil {
		return err
	}
	return out.WriteAll(c.lines(rows))
}

// lines returns the cells of the rows.
func (c *Columns[Row]) lines(rows []Row) [][]string {
	lines := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range c.cells {
			lines[i] = append(lines[i], plain.Text(cell(row)))
		}
	}
	return lines
}
