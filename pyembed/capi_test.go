package pyembed

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOnlyStableNamesAreUsed compares every name that capi.h looks up with CPython's stable ABI, so that one
// binary serves all releases. The names after PYEMBED_FUNCTIONS_314 are looked up, not required.
func TestOnlyStableNamesAreUsed(t *testing.T) {
	header, err := os.ReadFile("capi.h")
	require.NoError(t, err)
	list, err := os.ReadFile("testdata/stable_abi_3.11.txt")
	require.NoError(t, err)
	stable := strings.Fields(string(list))

	required, optional, found := strings.Cut(string(header), "#define PYEMBED_FUNCTIONS_314(API)")
	require.True(t, found)
	optional, objects, found := strings.Cut(optional, "#define PYEMBED_OBJECTS(API)")
	require.True(t, found)
	names := func(text string) []string {
		var names []string
		for _, match := range regexp.MustCompile(`API\((?:[\w *]+, )?(_?Py\w+)[,)]`).FindAllStringSubmatch(text, -1) {
			names = append(names, match[1])
		}
		return names
	}
	used := append(names(required), names(objects)...)
	require.Greater(t, len(used), 50)
	for _, name := range used {
		assert.True(t, slices.Contains(stable, name), "%s is not in the stable ABI of 3.11", name)
	}
	assert.Len(t, names(optional), strings.Count(optional, "API("), "every line was read")
	assert.Len(t, used, strings.Count(required, "API(")-1+strings.Count(objects, "API(")-strings.Count(objects, "_OBJECTS(API)"))
}
