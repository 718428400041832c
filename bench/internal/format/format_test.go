package format_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/stat"
)

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"1 request":   format.Count(1, "request"),
		"0 requests":  format.Count(0, "request"),
		"2 processes": format.Count(2, "process"),
		"1023 MiB":    format.Bytes(1023 << 20),
		"1.00 GiB":    format.Bytes(1 << 30),
		"-1.50 GiB":   format.Bytes(-3 << 29),
		"0.05":        format.Rate(0.05),
		"9.99":        format.Rate(9.99),
		"10.0":        format.Rate(10),
		"1234":        format.Rate(1234.4),
		"0.012":       format.Seconds(12 * time.Millisecond),
		"1.50":        format.Seconds(1500 * time.Millisecond),
		"90.0":        format.Seconds(90 * time.Second),
		"1500":        format.Milliseconds(1500 * time.Millisecond),
	} {
		assert.Equal(t, want, got)
	}
}

func TestText(t *testing.T) {
	assert.Empty(t, format.List(nil))
	assert.Equal(t, "a", format.List([]string{"a"}))
	assert.Equal(t, "a and b", format.List([]string{"a", "b"}))
	assert.Equal(t, "a, b and c", format.List([]string{"a", "b", "c"}))
	assert.Equal(t, "Batch size", format.Title("batch size"))
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
