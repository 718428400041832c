package race

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/workload"
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
