package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

func axis(t *testing.T, text string) Axis {
	t.Helper()
	a, err := ParseAxis(text)
	require.NoError(t, err)
	return a
}

func TestParseAxis(t *testing.T) {
	assert.Equal(t, Axis{"a", []any{8.0, 0.5, true, nil, "x", "y z"}}, axis(t, `a=8,0.5,true,null,x,"y z"`))
	for _, text := range []string{"", "a", "a=", "=1"} {
		_, err := ParseAxis(text)
		assert.ErrorContains(t, err, "no axis", text)
	}
}

func TestNewStudy(t *testing.T) {
	base := Point{Requests: 4, InputLen: 8, OutputLen: 4}
	one, err := NewStudy("limits", base, axis(t, "max_num_seqs=2,8"))
	require.NoError(t, err)
	assert.Equal(t, "max_num_seqs", one.Parameter)
	assert.Equal(t, []int{2, 8}, []int{one.Points[0].Value, one.Points[1].Value})
	assert.Equal(t, "max_num_seqs=8", one.Points[1].String())
	assert.Equal(t, "8", one.Points[1].Name())

	grid, err := NewStudy("grid", base, axis(t, "dtype=float16,bfloat16"), axis(t, "requests=1,2"), axis(t, "sampling.temperature=0,0.5"))
	require.NoError(t, err)
	require.Len(t, grid.Points, 8)
	last := grid.Points[7]
	assert.Equal(t, Point{Study: "grid", Value: 8, Requests: 2, InputLen: 8, OutputLen: 4,
		Coordinates: []Coordinate{{"dtype", "bfloat16"}, {"requests", 2.0}, {"sampling.temperature", 0.5}},
		Set:         Set{Engine: map[string]any{"dtype": "bfloat16"}, Sampling: map[string]any{"temperature": 0.5}}}, last)
	assert.Equal(t, "dtype=bfloat16, requests=2, sampling.temperature=0.5", last.String())
	assert.Equal(t, 1, grid.Points[0].Value)

	alone, err := NewStudy("alone", base)
	require.NoError(t, err)
	require.Len(t, alone.Points, 1)
	cold, err := grid.With("sampling.temperature", 2)
	require.NoError(t, err)
	for i, p := range cold.Points {
		assert.Equal(t, 2, p.Set.Sampling["temperature"])
		assert.NotEqual(t, 2, grid.Points[i].Set.Sampling["temperature"], "left as it was")
	}

	for text, want := range map[string]string{
		"max_num_seqs=many":        "engine setting max_num_seqs=many: json: cannot unmarshal",
		"max_num_seqs=0":           "max_num_seqs is 0; it must be at least 1",
		"requests=1.5":             "requests=1.5: the value must be an integer",
		"sampling.temprature=1":    "sampling setting temprature=1: there is no such field",
		"sample.temperature=1":     "the prefix must be engine., sampling. or env.",
		"sampling.temperature=hot": "sampling setting temperature=hot",
		"model=a,b":                "model must be the same for a whole run",
		"requests=2,2":             "must name it and have values of their own",
	} {
		_, err := NewStudy("bad", base, axis(t, text))
		assert.ErrorContains(t, err, want, text)
	}
	base.Lengths = []RequestLength{{1, 1}}
	_, err = NewStudy("bad", base, axis(t, "requests=1,2"))
	assert.ErrorContains(t, err, "cannot vary when each request has its own length")
}

func TestSetEngine(t *testing.T) {
	base := vllmgo.EngineArgs{Model: "m", Extra: map[string]any{"swap_space": 4}}
	args, err := Set{Engine: map[string]any{"dtype": "float16", "enforce_eager": true, "max_num_seqs": 8.0, "a_later_setting": 2.0, "engine_mode": "in-process"}}.EngineArgs(base)
	require.NoError(t, err)
	assert.Equal(t, vllmgo.EngineArgs{Model: "m", Dtype: "float16", EnforceEager: true, MaxNumSeqs: 8, EngineMode: vllmgo.InProcess,
		Extra: map[string]any{"swap_space": 4, "a_later_setting": 2.0}}, args)
	assert.Len(t, base.Extra, 1, "left as it was")
}
