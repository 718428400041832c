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
		return Fixed(float64(n)/(1<<20), 0) + " MiB"
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// MiB returns a size in whole MiB, without the unit.
func MiB(n int64) string { return strconv.FormatInt(n>>20, 10) }

// Percent returns a fraction in percent, such as "95 %", with so many digits after the point; see
// [Fixed].
func Percent(fraction float64, digits int) string { return Fixed(100*fraction, digits) + " %" }

// Change returns a change by a fraction in percent with its sign, such as "+5 %", with so many
// digits after the point; see [Fixed].
func Change(fraction float64, digits int) string {
	if fraction < 0 {
		return Percent(fraction, digits)
	}
	return "+" + Percent(fraction, digits)
}

// Ratio returns a ratio with three digits after the point; see [Fixed].
func Ratio(r float64) string { return Fixed(r, 3) }

// P returns a p-value with two digits. A p-value is never 0, so one that is too small for a float64
// is not printed as 0.
func P(p float64) string {
	if p == 0 {
		return "1e-300 or less"
	}
	return strconv.FormatFloat(p, 'g', 2, 64)
}

// Fixed returns a number with so many digits after the point. A number that would round to 0 has
// more: only 0 looks like 0.
func Fixed(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(text, "-0.") == "" {
		return Decimal(v, digits)
	}
	return text
}

// Decimal returns a number with at least so many digits after the point, and at least three digits
// that are not leading zeros.
func Decimal(v float64, digits int) string {
	if v == 0 {
		return strconv.FormatFloat(0, 'f', digits, 64) // also for −0
	}
	_, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	e, _ := strconv.Atoi(exponent)
	return strconv.FormatFloat(v, 'f', max(digits, 2-e), 64)
}

// Rate returns a rate with three digits or more, however small it is.
func Rate(perSecond float64) string {
	if perSecond == 0 {
		return "0.00"
	}
	return Decimal(perSecond, 0)
}

// Seconds returns a time in seconds with three digits or more, however short it is, without the
// unit.
func Seconds(d time.Duration) string {
	if d == 0 {
		return "0.000"
	}
	return Decimal(d.Seconds(), 1)
}

// Milliseconds returns a time in milliseconds with three digits or more, however short it is,
// without the unit.
func Milliseconds(d time.Duration) string { return Rate(d.Seconds() * 1000) }
