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

// TestUpstream checks every typed name against the installed vLLM, and lists what this vLLM has
// that the release in testdata/upstream did not. To take a new release as known, put the names that
// the test lists into the files there, and look whether one of them deserves a field.
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

// TestUpstreamMethods lists what vLLM's LLM has that vllmgo has neither a name for nor a reason to
// leave out.
func TestUpstreamMethods(t *testing.T) {
	installed, err := ask[[]string](t.Context(), "llm_parameters")
	if err != nil && os.Getenv("VLLMGO_REQUIRE_VLLM") == "" {
		t.Skip("this test needs vLLM (make setup): ", err)
	}
	require.NoError(t, err)
	known := readNames(t, "llm_parameters.txt")
	for _, name := range installed {
		_, parameter, _ := strings.Cut(name, ".")
		assert.True(t, known[name] != "" || known["*."+parameter] != "", "vLLM's LLM.%s has no name in Go, nor a reason", name)
	}
	for _, kind := range []string{"beam_search_parameters", "pooling_parameters", "prompts"} {
		fields, err := ask[[]string](t.Context(), "fields_of", kind)
		require.NoError(t, err)
		for _, field := range fields {
			name := kind + "." + field
			assert.NotEmpty(t, readNames(t, "fields.txt")[name], "vLLM's %s has no name in Go, nor a reason", name)
		}
	}
}

// readNames reads a file of testdata/upstream with the place in Go of each Python name.
// Places that begin with a Go name must exist.
func readNames(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/upstream/" + file)
	require.NoError(t, err)
	names := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, place, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || name == "#" {
			continue
		}
		names[name] = strings.TrimSpace(place)
		for part := range strings.SplitSeq(strings.Split(names[name], ";")[0], ", ") {
			assertExists(t, part)
		}
	}
	return names
}

// assertExists sees that "Type.Name" is a field or method of the package, if it has that form.
func assertExists(t *testing.T, place string) {
	t.Helper()
	types := map[string]reflect.Type{
		"LLM": reflect.TypeFor[*LLM](), "Prompt": reflect.TypeFor[Prompt](), "Chat": reflect.TypeFor[Chat](),
		"BeamSearchParams": reflect.TypeFor[BeamSearchParams](), "PoolingParams": reflect.TypeFor[PoolingParams](),
		"Info": reflect.TypeFor[Info](),
	}
	owner, name, found := strings.Cut(place, ".")
	typ := types[owner]
	if !found || typ == nil {
		return
	}
	_, isMethod := typ.MethodByName(name)
	isField := false
	if typ.Kind() == reflect.Struct {
		_, isField = typ.FieldByName(name)
	}
	assert.True(t, isMethod || isField, "there is no %s", place)
}

// TestSetTakesEveryArgument sets each argument of vLLM's that has no field. None is taken for a
// misspelt field.
func TestSetTakesEveryArgument(t *testing.T) {
	typed := slices.Collect(jsonNames(reflect.TypeFor[EngineArgs]()))
	text, err := os.ReadFile("testdata/upstream/engine_arguments.txt")
	require.NoError(t, err)
	all := strings.Fields(string(text))
	require.Greater(t, len(all), 100)
	for _, name := range all {
		if !slices.Contains(typed, name) {
			args := EngineArgs{}
			assert.NoError(t, args.Set(name, 1), name)
			assert.Equal(t, map[string]any{name: 1}, args.Extra)
		}
	}
	for name, want := range map[string]string{
		"max_num_seqz": "did you mean max_num_seqs?", "enforce_eagre": "did you mean enforce_eager?",
		"engine_mod": "did you mean engine_mode?", "Dtype": "did you mean dtype?",
	} {
		args := EngineArgs{}
		assert.ErrorContains(t, args.Set(name, 1), want)
		assert.Nil(t, args.Extra)
	}
	var params SamplingParams
	assert.ErrorContains(t, params.Set("temprature", 1), "there is no such field; did you mean temperature?")
}
