package machine

import (
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/assert"
)

func TestSlowReasons(t *testing.T) {
	assert.Equal(t, []string{"power cap", "heat"}, slowReasons(nvml.ClocksEventReasonSwPowerCap|nvml.ClocksThrottleReasonHwThermalSlowdown|nvml.ClocksEventReasonGpuIdle))
	assert.Empty(t, slowReasons(nvml.ClocksEventReasonApplicationsClocksSetting))
}
