package bench

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress tells a person how far a run is: one line for each event, and on a terminal a last line that
// says what is going on and gives way to the next.
//
// The progress bars of other packages predict from wall time for each unit; here an ETA must tell loading
// from generating and one batch size from another (see [eta]).
type progress struct {
	w        io.Writer
	terminal bool
	eta      eta
	done     int
	trials   int
}

func newProgress(w io.Writer) *progress {
	if w == nil {
		w = io.Discard
	}
	file, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// line prints a line that stays.
func (p *progress) line(format string, args ...any) {
	fmt.Fprintf(p.w, p.clear()+format+"\n", args...)
}

// status prints what is going on, on a terminal only.
func (p *progress) status(format string, args ...any) {
	if p.terminal {
		fmt.Fprintf(p.w, p.clear()+format, args...)
	}
}

// clear is what erases the status.
func (p *progress) clear() string {
	if p.terminal {
		return "\r\x1b[K"
	}
	return ""
}

// trialDone prints what became of a trial, and how long the rest takes.
func (p *progress) trialDone(point Point, maxNumSeqs int, outcome string) {
	steps, tokens := trialWork(point, maxNumSeqs)
	p.eta.steps -= steps
	p.eta.tokens -= tokens
	p.done++
	left := ""
	if d, ok := p.eta.left(); ok && p.done < p.trials {
		left = fmt.Sprintf("; about %v left", d.Round(time.Second))
	}
	p.line("[%d/%d] %s: %s%s", p.done, p.trials, point, outcome, left)
}
