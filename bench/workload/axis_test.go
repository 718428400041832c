package workload

import (
	"encoding/json"
	"slices"
	"strings"
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
	few, err := grid.With("sampling.top_k", 2)
	require.NoError(t, err)
	for i, p := range few.Points {
		assert.Equal(t, 2, p.Set.Sampling["top_k"])
		assert.NotContains(t, grid.Points[i].Set.Sampling, "top_k", "left as it was")
	}

	for text, want := range map[string]string{
		"max_num_seqs=many":        "engine setting max_num_seqs=many: the value is a string; it must be a whole number",
		"max_num_seqs=0":           "max_num_seqs is 0; it must be at least 1",
		"requests=1.5":             "requests=1.5: the value must be an integer",
		"sampling.temprature=1":    "sampling setting temprature=1: there is no such field",
		"sample.temperature=1":     "the prefix must be engine., sampling. or env.",
		"sampling.temperature=hot": "sampling setting temperature=hot",
		"model=a,b":                "model must be the same for a whole run",
		"requests=2,2":             "axis requests has the value 2 twice",
	} {
		_, err := NewStudy("bad", base, axis(t, text))
		assert.ErrorContains(t, err, want, text)
	}
	for _, sweep := range []Sweep{BatchSize, SequenceLength, RequestCount} {
		_, err := NewStudy(string(sweep), base)
		assert.ErrorContains(t, err, " 1\"; choose another name")
		_, err = NewStudy(string(sweep), base, axis(t, "requests=1,2"))
		assert.NoError(t, err)
	}
	base.Lengths = []RequestLength{{1, 1}}
	_, err = NewStudy("bad", base, axis(t, "requests=1,2"))
	assert.ErrorContains(t, err, "cannot vary when each request has its own length")
}

// What a study varies, by its axes or by its sweep, cannot be set too: the points would be called
// by values that they do not have.
func TestWithRefusesWhatVaries(t *testing.T) {
	base := Point{Requests: 4, InputLen: 8, OutputLen: 4}
	names := []string{"requests", "input_len", "output_len", "shared_prefix", "max_num_seqs", "engine.max_num_seqs",
		"block_size", "sampling.top_k", "env.max_num_seqs"}
	for _, varied := range names {
		study, err := NewStudy("one", base, Axis{varied, []any{1, 2}})
		require.NoError(t, err)
		for _, set := range names {
			same := strings.TrimPrefix(varied, "engine.") == strings.TrimPrefix(set, "engine.")
			_, err := study.With(set, 3)
			_, twice := NewStudy("two", base, Axis{varied, []any{1, 2}}, Axis{set, []any{3}})
			assert.Equal(t, same, err != nil, "%s, %s: %v", varied, set, err)
			assert.Equal(t, same, twice != nil, "%s, %s: %v", varied, set, twice)
		}
	}
	for _, study := range presetOf(t, PresetFull) {
		for name, field := range ownFields {
			differ := slices.ContainsFunc(study.Points, func(p Point) bool { return *field(&p) != *field(&study.Points[0]) })
			_, err := study.With(name, 1)
			assert.Equal(t, differ, err != nil, "%s, %s: %v", study.Name, name, err)
		}
	}
}

// A journal without sweeps gives a study the sweep of its name only when its points are that
// sweep's.
func TestUpgradeOfSweeps(t *testing.T) {
	older := func(s Study) Sweep {
		s.Sweep = ""
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var again Study
		require.NoError(t, json.Unmarshal(text, &again))
		return again.Sweep
	}
	for _, name := range []string{PresetFull, PresetQuick} {
		for _, study := range presetOf(t, name) {
			assert.Equal(t, study.Sweep, older(study), study.Name)
			for _, other := range presetOf(t, name) {
				if study.Sweep.fields()[0] != other.Sweep.fields()[0] {
					other.Name, other.Parameter = study.Name, study.Parameter
					assert.Empty(t, older(other), "%s's points under the name %s", other.Sweep, study.Name)
				}
			}
		}
	}
	named, err := NewStudy("batch-size", Point{Requests: 2, OutputLen: 4}, Axis{"input_len", []any{1, 2, 4}})
	require.NoError(t, err)
	named.Parameter = "batch size"
	assert.Empty(t, older(named))
}

func TestSetEngine(t *testing.T) {
	base := vllmgo.EngineArgs{Model: "m", Extra: map[string]any{"swap_space": 4}}
	args, err := Set{Engine: map[string]any{"dtype": "float16", "enforce_eager": true, "max_num_seqs": 8.0, "a_later_setting": 2.0, "engine_mode": "in-process"}}.EngineArgs(base)
	require.NoError(t, err)
	assert.Equal(t, vllmgo.EngineArgs{Model: "m", Dtype: "float16", EnforceEager: true, MaxNumSeqs: 8, EngineMode: vllmgo.InProcess,
		Extra: map[string]any{"swap_space": 4, "a_later_setting": 2.0}}, args)
	assert.Len(t, base.Extra, 1, "left as it was")
}
