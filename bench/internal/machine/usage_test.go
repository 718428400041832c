package machine

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/bench/journal"
)

func TestUsageBetween(t *testing.T) {
	u := usageBetween(cpuReading{all: 100, busy: 50, steal: 1, throttled: 1}, cpuReading{all: 108, busy: 55, steal: 1.4, throttled: 1.5}, 3*time.Second, 4*time.Second, 2)
	assert.InDelta(t, 0.75, u.Cores, 1e-9)
	assert.InDelta(t, 0.5, u.OtherCores, 1e-9)
	assert.InDelta(t, 0.05, u.Steal, 1e-9)
	assert.InDelta(t, 0.125, u.Throttled, 1e-9)
}

// Ticks of 10 ms tell nothing of what others used in 7 ms, and nothing exceeds what there is.
func TestUsageOfShortTimes(t *testing.T) {
	ticks := cpuReading{all: 0.02, busy: 0.02, steal: 0.01, throttled: 0.09}
	assert.Equal(t, journal.Usage{Cores: 2, Short: true, Throttled: 1},
		usageBetween(cpuReading{}, ticks, 15*time.Millisecond, 7*time.Millisecond, 2))
	for cores, shortest := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: time.Second / 2, 16: time.Second / 16, 128: time.Second / 16} {
		assert.False(t, tooShort(shortest, cores), "%d cores", cores)
		assert.True(t, tooShort(shortest-1, cores), "%d cores", cores)
	}
}

// What this program uses is known for short times too.
func TestWatchShortTimes(t *testing.T) {
	Stub(nil)
	for range 10 {
		self := int32(os.Getpid())
		stop := Watch(nil, nil)
		for began := ProcessTime(self); ProcessTime(self)-began < 2*time.Millisecond; {
		}
		u := stop()
		assert.Positive(t, u.Cores)
		assert.LessOrEqual(t, u.Cores, float64(runtime.NumCPU()))
	}
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
