package vllmgo

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestUpstream checks every typed name against the installed vLLM, and lists what this vLLM has that the release
// in testdata/upstream did not. To take a new release as known, put the names that the test lists into the files
// there, and look whether one of them deserves a field.
func TestUpstream(t *testing.T) {
	for file, c := range map[string]struct {
		function string
		typed    reflect.Type
	}{
		"engine_arguments.txt":    {"engine_arguments", reflect.TypeFor[EngineArgs]()},
		"sampling_parameters.txt": {"sampling_parameters", reflect.TypeFor[SamplingParams]()},
	} {
		t.Run(c.function, func(t *testing.T) {
			installed, err := ask[[]string](t.Context(), c.function)
			if err != nil && os.Getenv("VLLMGO_REQUIRE_VLLM") == "" {
				t.Skip("this test needs vLLM (make setup): ", err)
			}
			require.NoError(t, err)
			for name := range jsonNames(c.typed) {
				assert.Contains(t, installed, name, "a field for what this vLLM does not have")
			}
			text, err := os.ReadFile("testdata/upstream/" + file)
			require.NoError(t, err)
			known := strings.Fields(string(text))
			assert.True(t, slices.IsSorted(known), "the file is sorted")
			for _, name := range installed {
				if !slices.Contains(known, name) {
					t.Logf("new in this vLLM: %s", name)
				}
			}
			for _, name := range known {
				if !slices.Contains(installed, name) {
					t.Logf("not in this vLLM: %s", name)
				}
			}
		})
	}
}
