package plain

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"größe – 16 µs\t5\n":    "größe – 16 µs\t5\n",
		"\x1b[2J\x1b]0;title\a": `\x1b[2J\x1b]0;title\a`,
		"50 %\r60 %":            `50 %\r60 %`,
		"\x00\x7f\u0085\u009b":  `\x00\x7f\u0085\u009b`,
		"a\u202eb\u2066\u200f":  `a\u202eb\u2066\u200f`,
		"\xff\xc3(":             `\xff\xc3(`,
		"it's \\x1b and �":      "it's \\x1b and �",
	} {
		assert.Equal(t, want, Text(text))
		assert.Equal(t, want, Text(Text(text)))
	}
	for r := range unicode.MaxRune {
		text := Text(string(r))
		require.True(t, utf8.ValidString(text))
		require.False(t, r != '\n' && r != '\t' && strings.ContainsFunc(text, unicode.IsControl), "%U", r)
	}
}

func TestWriter(t *testing.T) {
	var b strings.Builder
	n, err := fmt.Fprintf(Writer(&b), "model %s\n", "\x1b[31m")
	require.NoError(t, err)
	assert.Equal(t, len("model \x1b[31m\n"), n)
	assert.Equal(t, `model \x1b[31m`+"\n", b.String())
	file, err := os.Open(os.DevNull) // which cannot be written
	require.NoError(t, err)
	defer file.Close()
	_, err = fmt.Fprint(Writer(file), "text")
	assert.Error(t, err)
}
