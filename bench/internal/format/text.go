package format

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// None is the cell of what is not known.
const None = "–"

// Known returns text, or [None] when it is not known.
func Known(known bool, text string) string {
	if known {
		return text
	}
	return None
}

// ModelTitle returns a model's name as tables show it: marked when its weights are random.
func ModelTitle(name string, randomWeights bool) string {
	if randomWeights {
		return name + ", random weights"
	}
	return name
}

// List returns words as prose: "a", "a and b", "a, b and c".
func List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// Title returns text with its first letter in upper case.
func Title(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// FirstLine returns the first line of an error's message.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Damaged is the line of a report whose journal's last line was left out.
const Damaged = "The last line of the journal was damaged, as after a crash, and is not part of this.\n"
