package race

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

func TestCommandLine(t *testing.T) {
	flags, err := commandLine(vllmgo.EngineArgs{
		Model: "m", EnforceEager: true, EnablePrefixCaching: new(false), MaxNumSeqs: 8, EngineMode: vllmgo.InProcess,
		Extra: map[string]any{"compilation_config": map[string]any{"mode": 0}},
	})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"--model=m", "--enforce-eager", "--no-enable-prefix-caching", "--max-num-seqs=8", `--compilation-config={"mode":0}`}, flags)
}

func TestFlag(t *testing.T) {
	for value, want := range map[string][]string{
		"true":               {"--a"},
		"false":              {"--no-a"},
		"8":                  {"--a=8"},
		"12345678901234567":  {"--a=12345678901234567"},
		`"true"`:             {"--a=true"},
		`"a b \"c\" --d=1"`:  {`--a=a b "c" --d=1`},
		`{"b":[1]}`:          {`--a={"b":[1]}`},
		"[1,2]":              {"--a", "1", "2"},
		`["b",{"c":"d"},[]]`: {"--a", "b", `{"c":"d"}`, "[]"},
		"[]":                 {"--a"}, // vLLM says that a value is missing
	} {
		assert.Equal(t, want, flag("a", []byte(value)), value)
	}
}
