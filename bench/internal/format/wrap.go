package format

import (
	"io"
	"os"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"golang.org/x/term"

	"vllmgo/internal/plain"
)

// DefaultWidth is the width of lines where there is no terminal, in columns.
const DefaultWidth = 80

// Width returns the width of the terminal that w is, in columns; [DefaultWidth] when it is none.
func Width(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return DefaultWidth
}

// Wrap breaks the lines of a [plain.Text] between words, so that none has more than width columns.
// A word that is wider is broken too. A Chinese, Japanese or Korean character and an emoji have two
// columns.
func Wrap(text string, width int) string {
	var lines []string
	for line := range strings.SplitSeq(plain.Text(text), "\n") {
		lines = append(lines, wrapLine(line, max(2, width))...)
	}
	return strings.Join(lines, "\n")
}

// wrapLine returns the lines that a line becomes.
func wrapLine(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case twwidth.Width(*last)+1+twwidth.Width(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
		for twwidth.Width(lines[len(lines)-1]) > width {
			last := &lines[len(lines)-1]
			head := twwidth.Truncate(*last, width)
			rest := (*last)[len(head):]
			*last = head
			lines = append(lines, rest)
		}
	}
	return lines
}
