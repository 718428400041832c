package report

import (
	"slices"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// sans is the font of all plots. It has Latin, Greek and Cyrillic letters, and no Chinese, Japanese
// or Korean ones, whose fonts have several megabytes.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

// plainText draws text in plots. It shows each character that the font lacks as a question mark,
// where gonum would leave a box.
type plainText struct{ text.Plain }

// Box returns the size of a line.
func (h plainText) Box(line string, f font.Font) (width, height, depth vg.Length) {
	return h.Plain.Box(drawable(line), f)
}

// Draw draws a text.
func (h plainText) Draw(c vg.Canvas, text string, style text.Style, at vg.Point) {
	h.Plain.Draw(c, drawable(text), style, at)
}

// drawable returns a text as plots show it.
func drawable(text string) string {
	missing := lacking(text)
	return strings.Map(func(r rune) rune {
		if slices.Contains(missing, r) {
			return '?'
		}
		return r
	}, text)
}

// lacking returns the characters of texts that the font of the plots lacks, each once.
func lacking(texts ...string) []rune {
	face := font.DefaultCache.Lookup(sans, 0)
	var missing []rune
	for _, text := range texts {
		for _, r := range text {
			glyph, err := face.Face.GlyphIndex(nil, r)
			if (glyph == 0 || err != nil) && r != '\n' && !slices.Contains(missing, r) {
				missing = append(missing, r)
			}
		}
	}
	return missing
}

// lackingPrefix begins the note about such characters.
const lackingPrefix = "plots show ? for each of these characters, which their font lacks: "

// lackingNote returns a note about the characters of texts that plots do not show; empty when there
// are none.
func lackingNote(texts ...string) string {
	missing := lacking(texts...)
	if missing == nil {
		return ""
	}
	return lackingPrefix + string(missing)
}
