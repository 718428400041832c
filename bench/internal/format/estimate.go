package format

import (
	"fmt"

	"vllmgo/bench/stat"
)

// Estimate returns an estimate with its interval, such as "1.02 [0.98, 1.05]", and with the
// confidence when that is below 95 %, such as "1.02 [0.98, 1.05] (88 %)". It returns the value
// alone for a single value, and [None] for no value. text formats the value and the ends.
func Estimate[T stat.Value](e stat.Estimate[T], text func(T) string) string {
	switch e.N {
	case 0:
		return None
	case 1:
		return text(e.Value)
	}
	return fmt.Sprintf("%s [%s, %s]%s", text(e.Value), text(e.Low), text(e.High), doubt(e.Confidence))
}

// Interval returns the interval of an estimate, such as "0.98–1.05", and its confidence when that
// is below 95 %, such as "0.98–1.05 (88 %)". It returns [None] for fewer than two values. text
// formats the ends.
func Interval[T stat.Value](e stat.Estimate[T], text func(T) string) string {
	if e.N < 2 {
		return None
	}
	return text(e.Low) + "–" + text(e.High) + doubt(e.Confidence)
}

// doubt returns a confidence after a space when it is below 95 %, and nothing otherwise.
func doubt(confidence float64) string {
	if confidence >= stat.Confidence {
		return ""
	}
	return " (" + Percent(confidence, 0) + ")"
}
