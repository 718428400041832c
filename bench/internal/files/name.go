package files

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestName leaves room for the endings of a file's name, which may have 255 bytes.
const longestName = 200

// CheckName returns an error if a name cannot be part of the names of files in one folder; nil if
// it can.
func CheckName(name string) error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case name == "", len(name) > longestName, strings.HasPrefix(name, "."), strings.ContainsAny(name, `/\`),
		!utf8.ValidString(name), strings.ContainsFunc(name, unprintable):
		return fmt.Errorf("the name %.80q becomes part of file names; it must have 1 to %d bytes, all of them printable, "+
			`no "/" or "\", and must not begin with "."`, name, longestName)
	}
	return nil
}
