package files

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"batch-size", "my study", "größe", "a.b", "a..b", "-", strings.Repeat("a", 200)} {
		assert.NoError(t, CheckName(name), name)
	}
	for _, name := range []string{
		"", "a/b", "../../x", "..", ".", ".hidden", `a\b`, "a\x00", "a\nb", "\x1b[2J", "\xff", "a\u202e", strings.Repeat("a", 201),
	} {
		assert.ErrorContains(t, CheckName(name), "becomes part of file names", name)
	}
}
