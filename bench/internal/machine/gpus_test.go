package machine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLoadedGPUs(t *testing.T) {
	const gib = 1 << 30
	gpus, added := LoadedGPUs([]int64{gib, 0, 0, 0}, []int64{gib, 3 * gib, 1 << 20, 2 * gib})
	assert.Equal(t, []int{1, 3}, gpus)
	assert.Equal(t, int64(5*gib+1<<20), added)
	gpus, _ = LoadedGPUs([]int64{gib, gib}, []int64{gib, gib})
	assert.Equal(t, []int{0, 1}, gpus, "which one is not known")
}
