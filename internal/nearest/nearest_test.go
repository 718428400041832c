package nearest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHint(t *testing.T) {
	names := []string{"max_num_seqs", "max_num_batched_tokens", "requests", "seed", "top_p", "top_k"}
	for name, want := range map[string]string{
		"max_num_seqz":           "; did you mean max_num_seqs?",
		"Max_Num_Seqs":           "; did you mean max_num_seqs?",
		"max_num_batched_tokenz": "; did you mean max_num_batched_tokens?",
		"request":                "; did you mean requests?",
		"sed":                    "; did you mean seed?",
		"top_q":                  "; did you mean top_k?",
		"quantization":           "",
		"x":                      "",
		"":                       "",
	} {
		assert.Equal(t, want, Hint(name, names), name)
	}
}
