package machine

import (
	"time"

	"github.com/shirou/gopsutil/v4/load"
	"golang.org/x/sys/unix"
)

// OtherLoadAverage returns the load average of others over the last minute. It is the machine's
// load average minus the CPU time, in minutes, of this process and of those that it waited for:
// they cannot have added more.
func OtherLoadAverage() float64 {
	if stubUsage != nil {
		return 0
	}
	average, err := load.Avg()
	if err != nil {
		return 0
	}
	own := 0.0
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var usage unix.Rusage
		if unix.Getrusage(who, &usage) == nil {
			own += time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Minutes()
		}
	}
	return max(0, average.Load1-own)
}
