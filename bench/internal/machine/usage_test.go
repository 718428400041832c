package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestUsageBetween(t *testing.T) {
	u := usageBetween(cpuReading{all: 100, busy: 50, steal: 1, own: 10, throttled: 1}, cpuReading{all: 108, busy: 55, steal: 1.4, own: 13, throttled: 1.5}, 4*time.Second)
	assert.InDelta(t, 0.75, u.Cores, 1e-9)
	assert.InDelta(t, 0.5, u.OtherCores, 1e-9)
	assert.InDelta(t, 0.05, u.Steal, 1e-9)
	assert.InDelta(t, 0.125, u.Throttled, 1e-9)
}

// The real machine's counters move with what this process does.
func TestWatch(t *testing.T) {
	Stub(nil)
	stop := Watch(nil, nil)
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
	}
	u := stop()
	assert.Greater(t, u.Cores, 0.1)
	assert.Greater(t, u.HostMemory, int64(1<<20))
}
