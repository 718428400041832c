package machine

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Own processes on GPUs are known by their numbers or, in a container that numbers them otherwise,
// by when they came.
func TestOwnOnGPUs(t *testing.T) {
	before, after := PIDs{7: true}, PIDs{7: true, 8: true, 9: true}
	assert.Equal(t, PIDs{8: true}, OwnOnGPUs(before, after, PIDs{1: true, 8: true}), "9 is another's")
	assert.Equal(t, PIDs{8: true, 9: true}, OwnOnGPUs(before, after, PIDs{1: true, 2: true}))
	assert.Equal(t, 1, after.Without(PIDs{8: true}, PIDs{9: true}))
	assert.True(t, Descendants()[int32(os.Getpid())])
}
