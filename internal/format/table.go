package format

import (
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
)

// Table prints a table whose first textColumns columns are text, aligned left, and the others
// figures, aligned right.
func Table(w io.Writer, caption string, header []string, rows [][]string, textColumns int) error {
	align := make([]tw.Align, len(header))
	for i := range align {
		align[i] = tw.AlignRight
		if i < textColumns {
			align[i] = tw.AlignLeft
		}
	}
	table := tablewriter.NewTable(w,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	)
	table.Caption(tw.Caption{Text: caption, Spot: tw.SpotTopLeft, Align: tw.AlignLeft})
	table.Header(header)
	if err := table.Bulk(rows); err != nil {
		return err
	}
	return table.Render()
}

// Title is text with its first letter in upper case.
func Title(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
