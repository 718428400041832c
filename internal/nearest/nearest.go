// Package nearest finds the name that someone may have meant.
package nearest

import (
	"slices"
	"strings"

	"github.com/lithammer/fuzzysearch/fuzzy"
)

// To returns the one of names that is written most like name, in lower case. It returns "" when
// none is close: at most two letters may differ, and one where there are fewer than six.
func To(name string, names []string) string {
	best, least := "", 1+min(2, max(1, len(name)/3))
	for _, other := range slices.Sorted(slices.Values(names)) {
		if d := fuzzy.LevenshteinDistance(strings.ToLower(name), other); d < least {
			best, least = other, d
		}
	}
	return best
}

// Hint returns "; did you mean NAME?" with the nearest of names, or "" when none is close.
func Hint(name string, names []string) string {
	if best := To(name, names); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}
