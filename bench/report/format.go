package report

import (
	"fmt"
	"time"

	"vllmgo/bench/stat"
	"vllmgo/internal/format"
)

// formatInterval is a median's interval in seconds, with its confidence when that is below 95 %; a dash for a
// single value.
func formatInterval(m stat.Estimate[time.Duration]) string {
	if m.N < 2 {
		return "–"
	}
	text := format.Seconds(m.Low) + "–" + format.Seconds(m.High)
	if m.Confidence < stat.Confidence {
		text += fmt.Sprintf(" (%.0f %%)", 100*m.Confidence)
	}
	return text
}
