package format

import "strings"

// markdown escapes what marks text up.
var markdown = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "|", "\\|", "<", "&lt;",
	"[", "\\[", "\n", " ")

// Markdown returns text in which nothing is marked up, and line ends are spaces.
func Markdown(text string) string {
	return markdown.Replace(text)
}
