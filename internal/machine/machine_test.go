package machine

import (
	"os"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/assert"
)

// Own processes on GPUs are known by their numbers or, in a container that numbers them otherwise, by when they came.
func TestOwnOnGPUs(t *testing.T) {
	before, after := PIDs{7: true}, PIDs{7: true, 8: true, 9: true}
	assert.Equal(t, PIDs{8: true}, OwnOnGPUs(before, after, PIDs{1: true, 8: true}), "9 is another's")
	assert.Equal(t, PIDs{8: true, 9: true}, OwnOnGPUs(before, after, PIDs{1: true, 2: true}))
	assert.Equal(t, 1, after.Without(PIDs{8: true}, PIDs{9: true}))
	assert.True(t, Descendants()[int32(os.Getpid())])
}

func TestUsageBetween(t *testing.T) {
	u := usageBetween(cpuReading{all: 100, busy: 50, steal: 1, own: 10, throttled: 1}, cpuReading{all: 108, busy: 55, steal: 1.4, own: 13, throttled: 1.5}, 4*time.Second)
	assert.InDelta(t, 0.75, u.Cores, 1e-9)
	assert.InDelta(t, 0.5, u.OtherCores, 1e-9)
	assert.InDelta(t, 0.05, u.Steal, 1e-9)
	assert.InDelta(t, 0.125, u.Throttled, 1e-9)
}

func TestLoadedGPUs(t *testing.T) {
	const gib = 1 << 30
	gpus, added := LoadedGPUs([]int64{gib, 0, 0, 0}, []int64{gib, 3 * gib, 1 << 20, 2 * gib})
	assert.Equal(t, []int{1, 3}, gpus)
	assert.Equal(t, int64(5*gib+1<<20), added)
	gpus, _ = LoadedGPUs([]int64{gib, gib}, []int64{gib, gib})
	assert.Equal(t, []int{0, 1}, gpus, "which one is not known")
}

// The real machine's counters move with what this process does.
func TestWatchMachine(t *testing.T) {
	Stub(nil)
	stop := Watch(nil, nil)
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
	}
	u := stop()
	assert.Greater(t, u.Cores, 0.1)
	assert.Greater(t, u.HostMemory, int64(1<<20))
}

func TestSlowReasons(t *testing.T) {
	assert.Equal(t, []string{"power cap", "heat"}, slowReasons(nvml.ClocksEventReasonSwPowerCap|nvml.ClocksThrottleReasonHwThermalSlowdown|nvml.ClocksEventReasonGpuIdle))
	assert.Empty(t, slowReasons(nvml.ClocksEventReasonApplicationsClocksSetting))
}
