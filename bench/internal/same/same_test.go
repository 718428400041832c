package same

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlat(t *testing.T) {
	flat, err := Flat(map[string]any{"a": 1, "b": map[string]any{"c": "x", "d": map[string]any{"e": nil}}, "f": map[string]any{}, "g": []any{map[string]any{"h": 1}}})
	require.NoError(t, err)
	texts := map[string]string{}
	for name, value := range flat {
		texts[name] = string(value)
	}
	assert.Equal(t, map[string]string{"a": "1", "b.c": `"x"`, "b.d.e": "null", "f": "{}", "g": `[{"h":1}]`}, texts)
	_, err = Flat([]int{1})
	assert.Error(t, err, "not an object")
}

// Values shows where long values differ.
func TestValues(t *testing.T) {
	long := strings.Repeat("é", 100)
	for _, c := range []struct{ d, want Difference }{
		{Difference{"", "1", ""}, Difference{"", "1", "not set"}},
		{Difference{"", `"a"`, `"b"`}, Difference{"", `"a"`, `"b"`}},
		{Difference{"", long + "a", long + "b"}, Difference{"", "…" + long[:40] + "a", "…" + long[:40] + "b"}},
		{Difference{"", "x" + long, "y"}, Difference{"", "x" + long[:158] + "…", "y"}},
		{Difference{"", long, long + "b"}, Difference{"", "…" + long[:40], "…" + long[:40] + "b"}},
	} {
		first, second := c.d.Values()
		assert.Equal(t, c.want, Difference{"", first, second})
	}
}

func TestDifferences(t *testing.T) {
	type settings struct {
		Seed  int            `json:"seed"`
		Name  string         `json:"name,omitempty"`
		Extra map[string]any `json:"extra"`
	}
	a := settings{1, "", map[string]any{"x": 1, "y": []int{1}}}
	for text, b := range map[string]settings{
		"":                                    {1, "", map[string]any{"y": []int{1}, "x": 1}},
		"its seed was 1 and is now 2":         {2, "", a.Extra},
		`its name was not set and is now "n"`: {1, "n", a.Extra},
		`its extra was {"x":1,"y":[1]} and is now null`: {1, "", nil},
	} {
		differences, err := Differences(a, b)
		require.NoError(t, err)
		if text == "" {
			assert.Empty(t, differences)
			continue
		}
		require.Len(t, differences, 1)
		assert.Equal(t, text, differences[0].String())
	}
	_, err := Differences(a, make(chan int))
	assert.Error(t, err)
	_, err = Differences([]int{}, a)
	assert.Error(t, err, "not an object")
}
