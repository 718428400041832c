package workload

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVocabularyInJSON(t *testing.T) {
	v := testVocabulary(t, 10, 0, 4, 9)
	text, err := json.Marshal(v)
	require.NoError(t, err)
	assert.JSONEq(t, `{"size": 9, "without": [0, 4]}`, string(text))
	var again Vocabulary
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, v, again)
	assert.Error(t, json.Unmarshal([]byte(`{"size": 0}`), &again))
}
