package race

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/workload"
	"vllmgo/internal/testenv"
)

func TestChosen(t *testing.T) {
	all, err := workload.Preset("quick")
	require.NoError(t, err)
	same, err := chosen(all, nil)
	require.NoError(t, err)
	assert.Equal(t, all, same)
	some, err := chosen(all, []workload.PointID{{Study: "request-count", Value: 50}, {Study: "batch-size", Value: 8}, {Study: "batch-size", Value: 1}})
	require.NoError(t, err)
	require.Len(t, some, 2)
	assert.Equal(t, []int{1, 8}, []int{some[0].Points[0].Value, some[0].Points[1].Value})
	assert.Equal(t, "request-count", some[1].Name)
}

// What was prepared can be removed again, and the contenders share the GPU.
func TestPrepare(t *testing.T) {
	testenv.VLLM(t)
	vllmgo, err := ParseContender("vllmgo")
	require.NoError(t, err)
	python, err := ParseContender("python")
	require.NoError(t, err)
	s := Settings{Contenders: []Contender{vllmgo, python}, Points: []workload.PointID{{Study: "batch-size", Value: 8}}}
	s.VLLM.Library = benchtest.NewLibrary("cpu", "facebook/opt-125m").Library
	s.VLLM.EngineArgs.EngineMode = "in-process"
	p, cleanup, err := s.prepare(t.Context())
	require.NoError(t, err)
	defer cleanup()
	assert.InDelta(t, 0.45, p.args.GPUMemoryUtilization, 1e-9)
	require.Len(t, p.studies, 1)
	assert.Len(t, p.studies[0].Points, 1)
	assert.NotEmpty(t, p.python)
}
