package same

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
