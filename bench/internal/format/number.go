package format

import (
	"fmt"
	"strconv"
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

// MiB returns a size in whole MiB, without the unit.
func MiB(n int64) string { return strconv.FormatInt(n>>20, 10) }

// Percent returns a fraction in percent, such as "95 %", with so many digits after the point.
func Percent(fraction float64, digits int) string {
	return strconv.FormatFloat(100*fraction, 'f', digits, 64) + " %"
}

// Change returns a change by a fraction in percent with its sign, such as "+5 %", with so many
// digits after the point.
func Change(fraction float64, digits int) string {
	return fmt.Sprintf("%+.*f %%", digits, 100*fraction)
}

// Ratio returns a ratio with three digits after the point.
func Ratio(r float64) string { return strconv.FormatFloat(r, 'f', 3, 64) }

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
