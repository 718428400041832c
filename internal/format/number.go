package format

import (
	"fmt"
	"strings"
	"time"
)

// Count returns a number with its noun: "1 request", "2 requests".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Bytes returns a size in MiB or GiB.
func Bytes(n int64) string {
	if n < 1<<30 && n > -(1<<30) {
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// Rate returns a rate with three digits or more.
func Rate(perSecond float64) string {
	switch {
	case perSecond >= 100:
		return fmt.Sprintf("%.0f", perSecond)
	case perSecond >= 10:
		return fmt.Sprintf("%.1f", perSecond)
	}
	return fmt.Sprintf("%.2f", perSecond)
}

// Seconds returns a time in seconds with three digits or more, without the unit.
func Seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s >= 10:
		return fmt.Sprintf("%.1f", s)
	case s >= 1:
		return fmt.Sprintf("%.2f", s)
	default:
		return fmt.Sprintf("%.3f", s)
	}
}

// Milliseconds returns a time in milliseconds with three digits or more, without the unit.
func Milliseconds(d time.Duration) string { return Rate(d.Seconds() * 1000) }
