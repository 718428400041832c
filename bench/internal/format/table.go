package format

import (
	"bytes"
	"io"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Table writes a table. The first textColumns columns are text, aligned left. The others are
// figures, aligned right. Use [Columns] where the columns do not depend on the rows.
func Table(w io.Writer, caption string, header []string, rows [][]string, textColumns int) error {
	return table(w, renderer.NewBlueprint(), caption, header, rows, textColumns)
}

// MarkdownTable is [Table] in Markdown, in which no cell marks anything up.
func MarkdownTable(w io.Writer, header []string, rows [][]string, textColumns int) error {
	escaped := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			escaped[i] = append(escaped[i], Markdown(cell))
		}
	}
	return table(w, renderer.NewMarkdown(), "", header, escaped, textColumns)
}

// table writes a table as a renderer draws it.
func table(w io.Writer, r tw.Renderer, caption string, header []string, rows [][]string, textColumns int) error {
	align := make([]tw.Align, len(header))
	for i := range align {
		align[i] = tw.AlignRight
		if i < textColumns {
			align[i] = tw.AlignLeft
		}
	}
	var b bytes.Buffer // tablewriter loses the errors of a writer
	table := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(r),
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
