package journal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/logfile"
)

// Each value of a soak test's journal that is impossible is an error.
func TestSoakImpossibleValues(t *testing.T) {
	text := `{"header":{"started":"2026-01-01T00:00:00Z","point":{"study":"soak","value":1,"requests":4,"input_len":3,"output_len":2}}}
{"window":{"requests":1,"elapsed_ns":5,"input_tokens":3,"output_tokens":2}}
{"window":{"requests":4,"elapsed_ns":5,"input_tokens":9,"output_tokens":6,"go_heap_bytes":7}}
{"end":{"prompts_sha256":"` + strings.Repeat("0", 64) + `"}}
`
	read := func(text string) error {
		_, err := logfile.Read(strings.NewReader(text), new(Soak).add)
		return err
	}
	require.NoError(t, read(text))
	for want, c := range map[string][2]string{
		"started is 0001":               {`"started":"2026-01-01T00:00:00Z",`, ``},
		"has 0 requests":                {`"requests":4,"input_len"`, `"requests":0,"input_len"`},
		"input_tokens of the point is":  {`"input_len":3`, `"input_len":0`},
		"becomes part of file names":    {`"study":"soak"`, `"study":"../soak"`},
		"requests is 1":                 {`"requests":4,"el`, `"requests":1,"el`},
		"requests is 5":                 {`"requests":4,"el`, `"requests":5,"el`},
		"elapsed_ns is 0s":              {`"elapsed_ns":5`, `"elapsed_ns":0`},
		"input_tokens is 4":             {`"input_tokens":3`, `"input_tokens":4`},
		"output_tokens is 7":            {`"output_tokens":6`, `"output_tokens":7`},
		"go_heap_bytes is -7":           {`"go_heap_bytes":7`, `"go_heap_bytes":-7`},
		"after 1 of 4 requests":         {`{"window":{"requests":4`, `{"end":{}}` + "\n" + `{"window":{"requests":4`},
		"a line after the end":          {"}}\n" + `{"end"`, "}}\n" + text[strings.Index(text, `{"end"`):] + `{"end"`},
		"another header":                {`{"end"`, text},
		`the name "requests" twice`:     {`{"window":{`, `{"window":{"requests":1,`},
		"neither window nor end":        {`{"end"`, "{}\n" + `{"end"`},
		"the first line is not a heade": {`{"header"`, "{}\n" + `{"header"`},
	} {
		damaged := strings.Replace(text, c[0], c[1], 1) + "{}\n" // so that no damage is in the last line
		require.Contains(t, text, c[0])
		assert.ErrorContains(t, read(damaged), want)
	}
}
