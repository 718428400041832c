package machine

import (
	"time"

	"github.com/shirou/gopsutil/v4/cpu"

	"vllmgo/bench/journal"
)

// Watch starts to watch the machine and the GPUs with the given numbers. The function that it
// returns stops that and returns what was seen. own are the processes of this program on the GPUs.
func Watch(gpus []int, own PIDs) (stop func() journal.Usage) {
	if stubUsage != nil {
		return stubUsage
	}
	start, began := readCPU(), time.Now()
	stopGPUs := watchGPUs(gpus, own)
	return func() journal.Usage {
		wall := time.Since(began)
		u := usageBetween(start, readCPU(), wall)
		u.HostMemory, _ = HostMemory()
		u.GPUs = stopGPUs()
		return u
	}
}

// cpuReading is the CPU time so far, in seconds.
type cpuReading struct {
	all, busy, steal float64 // of the machine
	own              float64 // of this program's processes
	throttled        float64 // of the control group
}

// readCPU returns the CPU time so far.
func readCPU() cpuReading {
	var r cpuReading
	if times, err := cpu.Times(false); err == nil && len(times) > 0 {
		t := times[0] // guest time is part of user time
		r.busy = t.User + t.System + t.Nice + t.Irq + t.Softirq
		r.steal = t.Steal
		r.all = r.busy + t.Steal + t.Idle + t.Iowait
	}
	for _, p := range family() {
		if t, err := p.Times(); err == nil {
			r.own += t.User + t.System
		}
	}
	r.throttled = float64(cgroupStat("cpu.stat", "throttled_usec")) / 1e6
	return r
}

// usageBetween returns the use of the cores between two readings.
func usageBetween(start, end cpuReading, wall time.Duration) journal.Usage {
	own := max(0, end.own-start.own)
	u := journal.Usage{
		Cores:      own / wall.Seconds(),
		OtherCores: max(0, end.busy-start.busy-own) / wall.Seconds(),
		Throttled:  max(0, end.throttled-start.throttled) / wall.Seconds(),
	}
	if all := end.all - start.all; all > 0 {
		u.Steal = max(0, end.steal-start.steal) / all
	}
	return u
}
