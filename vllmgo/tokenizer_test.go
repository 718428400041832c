package vllmgo_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/pyembed"
)

// The IDs of tokenizers of which some IDs have no token, and of which some IDs share a text.
func TestTokenizerIDs(t *testing.T) {
	const script = `
import json, sys
sys.path.insert(0, "")
from bridge import tokenizer_ids

class Tokenizer:
    all_special_ids, eos_token_id = [2], 2
    def __init__(self, vocabulary, size): self.vocabulary, self.size = vocabulary, size
    def get_vocab(self): return self.vocabulary
    def __len__(self): return self.size

print(json.dumps([tokenizer_ids(Tokenizer(vocabulary, size)) for vocabulary, size in json.loads(sys.argv[1])]))`
	tokenizers := []any{
		[]any{map[string]int{"a": 0, "b": 1, "</s>": 2}, 3},
		[]any{map[string]int{"a": 0, "b": 1, "</s>": 2, "c": 7, "d": 5}, 5},
		[]any{map[string]int{"a": 0, "�": 3, "</s>": 2}, 4}, // 1 and 3 share a text
		[]any{map[string]int{}, 3},
	}
	argument, err := json.Marshal(tokenizers)
	require.NoError(t, err)
	python, err := pyembed.Locate(t.Context(), pyembed.Config{Variable: "VLLMGO_PYTHON"})
	require.NoError(t, err)
	output, err := exec.Command(python.Executable, "-c", script, string(argument)).CombinedOutput()
	require.NoError(t, err, "%s", output)
	var ids []struct {
		VocabSize                        int
		SpecialTokenIDs, MissingTokenIDs []int32
	}
	require.NoError(t, json.Unmarshal(output, &ids))
	for i, want := range []struct {
		size    int
		missing []int32
	}{{3, []int32{}}, {8, []int32{3, 4, 6}}, {4, []int32{}}, {3, []int32{}}} {
		assert.Equal(t, want.size, ids[i].VocabSize)
		assert.Equal(t, want.missing, ids[i].MissingTokenIDs)
		assert.Equal(t, []int32{2}, ids[i].SpecialTokenIDs)
	}
}
