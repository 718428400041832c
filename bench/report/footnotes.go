package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"vllmgo/bench/internal/format"
)

// footnotes are the notes below a table, each of which has a number.
type footnotes []string

// marks returns the numbers of notes in ascending order, such as " [1] [3]". It adds the notes that
// are new.
func (f *footnotes) marks(notes []string) string {
	var numbers []int
	for _, note := range notes {
		i := slices.Index(*f, note)
		if i < 0 {
			i = len(*f)
			*f = append(*f, note)
		}
		numbers = append(numbers, i+1)
	}
	slices.Sort(numbers)
	marks := ""
	for _, number := range numbers {
		marks += fmt.Sprintf(" [%d]", number)
	}
	return marks
}

// write writes the notes, each from a new line on, in lines of at most width columns; 0 means no
// limit.
func (f footnotes) write(w io.Writer, width int) error {
	const indent = "    "
	for i, note := range f {
		text := strings.TrimSpace(note)
		if width > 0 {
			text = format.Wrap(text, width-len(indent))
		}
		text = strings.ReplaceAll(text, "\n", "\n"+indent)
		if _, err := fmt.Fprintf(w, "[%d] %s\n", i+1, text); err != nil {
			return err
		}
	}
	return nil
}
