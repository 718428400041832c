package format_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/internal/format"
)

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"one":                   "one",
		"one two three":         "one two\nthree",
		"one  two\nthree":       "one two\nthree",
		"abcdefghijkl":          "abcdefgh\nijkl",
		"a abcdefghijkl b":      "a\nabcdefgh\nijkl b",
		"模型模型模型":                "模型模型\n模型",
		"a 模型 模型":               "a 模型\n模型",
		"🚀🚀🚀🚀🚀":                 "🚀🚀🚀🚀\n🚀",
		"\x1b[2J and more":      "\\x1b[2J\nand more",
		"a line\n\nand another": "a line\n\nand\nanother",
	} {
		assert.Equal(t, want, format.Wrap(text, 8), text)
	}
	text := strings.Repeat("a model, 模型 🚀 é ", 30)
	for width := range 60 {
		for line := range strings.SplitSeq(format.Wrap(text, width), "\n") {
			assert.LessOrEqual(t, twwidth.Width(line), max(2, width))
		}
	}
}

// What is no terminal has the default width.
func TestWidth(t *testing.T) {
	assert.Equal(t, format.DefaultWidth, format.Width(&bytes.Buffer{}))
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	defer writer.Close()
	assert.Equal(t, format.DefaultWidth, format.Width(writer))
}
