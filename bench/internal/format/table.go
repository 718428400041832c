package format

import (
	"bytes"
	"io"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
)

// Table writes a table. The first textColumns columns are text, aligned left. The others are
// figures, aligned right. Use [Columns] where the columns do not depend on the rows.
func Table(w io.Writer, caption string, header []string, rows [][]string, textColumns int) error {
	align := make([]tw.Align, len(header))
	for i := range align {
		align[i] = tw.AlignRight
		if i < textColumns {
			align[i] = tw.AlignLeft
		}
	}
	var b bytes.Buffer // tablewriter loses the errors of a writer
	table := tablewriter.NewTable(&b,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	)
	table.Caption(tw.Caption{Text: caption, Spot: tw.SpotTopLeft, Align: tw.AlignLeft})
	table.Header(header)
	if err := table.Bulk(rows); err != nil {
		return err
	}
	if err := table.Render(); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
