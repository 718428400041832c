package format_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/stat"
)

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"1 request":      format.Count(1, "request"),
		"0 requests":     format.Count(0, "request"),
		"2 processes":    format.Count(2, "process"),
		"1023 MiB":       format.Bytes(1023 << 20),
		"1.00 GiB":       format.Bytes(1 << 30),
		"-1.50 GiB":      format.Bytes(-3 << 29),
		"0.0500":         format.Rate(0.05),
		"9.99":           format.Rate(9.99),
		"10.0":           format.Rate(10),
		"1234":           format.Rate(1234.4),
		"0.0120":         format.Seconds(12 * time.Millisecond),
		"1.50":           format.Seconds(1500 * time.Millisecond),
		"90.0":           format.Seconds(90 * time.Second),
		"1500":           format.Milliseconds(1500 * time.Millisecond),
		"0.000123":       format.Seconds(123 * time.Microsecond),
		"0.00000100":     format.Milliseconds(time.Nanosecond),
		"0.00":           format.Rate(0),
		"100.0":          format.Seconds(100 * time.Second),
		"0.293 MiB":      format.Bytes(300 << 10),
		"0 MiB":          format.Bytes(0),
		"0.500 %":        format.Percent(0.005, 0),
		"0.400 %":        format.Percent(0.004, 0),
		"0 %":            format.Percent(0, 0),
		"-0.0400 %":      format.Change(-0.0004, 1),
		"+0.0 %":         format.Change(math.Copysign(0, -1), 1),
		"0.000400":       format.Ratio(0.0004),
		"1e-300 or less": format.P(0),
		"0.0065":         format.P(0.00652),
		"0.000000500":    format.Decimal(5e-7, 6),
		"12.500000":      format.Decimal(12.5, 6),
	} {
		assert.Equal(t, want, got)
	}
}

// Only 0 looks like 0, and rates and times show three digits, of every size.
func TestNumbersOfEverySize(t *testing.T) {
	digits := func(text string) int {
		return len(strings.TrimLeft(strings.ReplaceAll(text, ".", ""), "0"))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		v := math.Pow(10, 34*random.Float64()-17)
		d := time.Duration(math.Pow(10, 18*random.Float64()))
		for name, text := range map[string]string{"rate": format.Rate(v), "s": format.Seconds(d), "ms": format.Milliseconds(d), "decimal": format.Decimal(v, 3)} {
			assert.GreaterOrEqual(t, digits(text), 3, "%s of %g or %d", name, v, d)
		}
		for _, fixed := range []string{format.Fixed(v, 2), format.Ratio(v), format.Percent(v, 0), format.Change(-v, 1), format.Bytes(int64(v) + 1)} {
			assert.Regexp(t, "[1-9]", fixed, v)
		}
		back, err := strconv.ParseFloat(format.Seconds(d), 64)
		require.NoError(t, err)
		assert.InEpsilon(t, d.Seconds(), back, 0.006)
	}
}

func TestText(t *testing.T) {
	assert.Empty(t, format.List(nil))
	assert.Equal(t, "a", format.List([]string{"a"}))
	assert.Equal(t, "a and b", format.List([]string{"a", "b"}))
	assert.Equal(t, "a, b and c", format.List([]string{"a", "b", "c"}))
	assert.Equal(t, "Batch size", format.Title("batch size"))
	assert.Equal(t, "Änderung", format.Title("änderung"))
	assert.Equal(t, "批量", format.Title("批量"))
	assert.Equal(t, "Größe", format.Title("größe"))
	assert.Equal(t, "Öl", format.Title("öl"))
	assert.Empty(t, format.Title(""))
	assert.Equal(t, "the reason", format.FirstLine(errors.New("the reason\nthe trace")))
	assert.Equal(t, "a/model, random weights", format.ModelTitle("a/model", true))
	assert.Equal(t, "–", format.Known(false, "0 MiB"))
}

// The confidence is said exactly when it is below 95 %, and an interval only when there is one.
func TestEstimates(t *testing.T) {
	whole := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	var values []float64
	for n, want := range []struct{ estimate, interval string }{
		{"–", "–"},
		{"1", "–"},
		// The median of 1 and 2 is 1.5, which %.0f rounds to even.
		{"2 [1, 2] (50 %)", "1–2 (50 %)"},
		{"2 [1, 3] (75 %)", "1–3 (75 %)"},
		{"2 [1, 4] (88 %)", "1–4 (88 %)"},
		{"3 [1, 5] (94 %)", "1–5 (94 %)"},
		{"4 [1, 6]", "1–6"},
	} {
		assert.Equal(t, want.estimate, format.Estimate(stat.Median(values), whole), "%d values", n)
		assert.Equal(t, want.interval, format.Interval(stat.Median(values), whole), "%d values", n)
		values = append(values, float64(n+1))
	}
}

// An error of the writer is returned.
func TestColumnsWriteErrors(t *testing.T) {
	var columns format.Columns[int]
	columns.Add("number", func(n int) string { return fmt.Sprint(n) })
	file, err := os.Open(os.DevNull) // which cannot be written
	require.NoError(t, err)
	defer file.Close()
	assert.Error(t, columns.WriteCSV(file, []int{1}))
	assert.Error(t, columns.WriteTable(file, "numbers", []int{1}, 0))
}

func ExampleColumns() {
	type city struct {
		name   string
		people int
	}
	var columns format.Columns[city]
	columns.Add("city", func(c city) string { return c.name })
	columns.Add("people", func(c city) string { return format.Known(c.people > 0, fmt.Sprint(c.people)) })
	cities := []city{{"Freiburg, Breisgau", 237244}, {"Atlantis", 0}}

	fmt.Println(columns.WriteTable(os.Stdout, "", cities, 1))
	fmt.Println(columns.WriteCSV(os.Stdout, cities))
	// Output:
	// ┌────────────────────┬────────┐
	// │ city               │ people │
	// ├────────────────────┼────────┤
	// │ Freiburg, Breisgau │ 237244 │
	// │ Atlantis           │      – │
	// └────────────────────┴────────┘
	// <nil>
	// city,people
	// "Freiburg, Breisgau",237244
	// Atlantis,–
	// <nil>
}
