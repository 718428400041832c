package bench

import (
	"io"
	"os"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"vllmgo/bench/internal/format"
	"vllmgo/internal/plain"
)

// bar is a progress bar on the last line of a terminal. The methods of a nil bar do nothing.
type bar struct {
	*progressbar.ProgressBar
	room int // for the description, in columns
}

const (
	barSteps = 1000 // of the whole bar
	barWidth = 20   // in columns
	barFrame = 12   // columns of the borders, the per cent and the spaces
)

// newBar returns the bar of the terminal that w is; nil when it is none.
func newBar(w io.Writer) *bar {
	if file, ok := w.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return drawnOn(w, format.Width(w))
}

// drawnOn returns a bar on a terminal of so many columns.
func drawnOn(w io.Writer, width int) *bar {
	return &bar{
		progressbar.NewOptions(barSteps, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(barWidth),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
			progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionUseANSICodes(true)),
		max(0, width-barWidth-barFrame),
	}
}

// show draws that a share of the whole is done, with a text after the bar as far as there is room.
func (b *bar) show(share float64, text string) {
	if b == nil {
		return
	}
	text = plain.Text(text)
	if twwidth.Width(text) > b.room {
		text = twwidth.Truncate(text, b.room, "…")
	}
	b.Describe(text)
	_ = b.Set(int(share * barSteps)) // drawing is all that can fail
}

// redraw draws the bar again, below lines that were written.
func (b *bar) redraw() {
	if b != nil {
		_ = b.RenderBlank()
	}
}

// clear erases the bar, until it is shown or drawn again.
func (b *bar) clear() {
	if b != nil {
		_ = b.Clear()
	}
}
