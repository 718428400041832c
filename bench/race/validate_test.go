package race

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/logfile"
)

// Each value of a race's journal that is impossible is an error.
func TestImpossibleValues(t *testing.T) {
	const text = `{"header":{"schema":1,"rounds":2,"contenders":[{"name":"a","kind":"vllmgo"},{"name":"b","kind":"throughput"}],` +
		`"studies":[{"name":"s","max_num_seqs":1,"max_num_batched_tokens":1,` +
		`"points":[{"study":"s","value":1,"requests":1,"input_len":1,"output_len":1}]}]}}
{"loaded":{"contender":"a","group":1,"load_ns":3,"first_token_ns":4}}
{"trial":{"contender":"a","study":"s","value":1,"round":1,"wall_ns":7,"elapsed_ns":6,"cpu_ns":5}}
{"trial":{"contender":"b","study":"s","value":1,"round":1,"wall_ns":8,"process_ns":9}}
{"failure":{"contender":"b","group":1,"reason":"it broke"}}
{"loaded":{"contender":"b","group":1}}
`
	read := func(text string) error {
		_, err := logfile.Read(strings.NewReader(text), new(Journal).add)
		return err
	}
	require.NoError(t, read(text))
	for want, c := range map[string][2]string{
		"rounds is 0":                               {`"rounds":2`, `"rounds":0`},
		"two contenders are called a":               {`"name":"b"`, `"name":"a"`},
		`contender "../b"`:                          {`"name":"b"`, `"name":"../b"`},
		"has 0 requests":                            {`"requests":1`, `"requests":0`},
		"more than 16777216 completions":            {`"requests":1`, `"requests":99999999`},
		`the name "../../x" becomes part`:           {`"name":"s"`, `"name":"../../x"`},
		`"c", which is no contender`:                {`{"loaded":{"contender":"a"`, `{"loaded":{"contender":"c"`},
		"load_ns is -3ns":                           {`"load_ns":3`, `"load_ns":-3`},
		"s 5, which is no point":                    {`"value":1,"round"`, `"value":5,"round"`},
		"round is 0":                                {`"round":1`, `"round":0`},
		"wall_ns is 0s":                             {`"wall_ns":7`, `"wall_ns":0`},
		"elapsed_ns is 60ns":                        {`"elapsed_ns":6`, `"elapsed_ns":60`},
		"cpu_ns is -5ns":                            {`"cpu_ns":5`, `"cpu_ns":-5`},
		"process_ns of vllmgo is 9ns":               {`"cpu_ns":5`, `"process_ns":9`},
		"process_ns is 0s":                          {`,"process_ns":9`, ``},
		`prompts_sha256 is "x"`:                     {`"cpu_ns":5`, `"prompts_sha256":"x"`},
		"line 4 of the journal: s 1 of a in round":  {`"contender":"b","study"`, `"contender":"a","study"`},
		"line 5 of the journal: group is 0":         {`"group":1,"reason"`, `"group":0,"reason"`},
		`line 3 of the journal: the name "wall_ns"`: {`"wall_ns":7`, `"wall_ns":7,"wall_ns":7`},
	} {
		require.Contains(t, text, c[0])
		assert.ErrorContains(t, read(strings.Replace(text, c[0], c[1], 1)), want)
	}
}
