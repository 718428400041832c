package machine

import (
	"os"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/process"

	"vllmgo/bench/journal"
)

// Watch begins to watch the machine and the GPUs with the given numbers. The function that it returns ends that
// and returns what was seen; a figure that cannot be found out is 0. own are this program's processes on GPUs.
func Watch(indices []int, own PIDs) (stop func() journal.Usage) {
	if stubUsage != nil {
		return stubUsage
	}
	start, began := readCPU(), time.Now()
	gpus := watchGPUs(indices, own)
	return func() journal.Usage {
		wall := time.Since(began)
		end := readCPU()
		u := usageBetween(start, end, wall)
		u.HostMemory, _ = HostMemory()
		u.GPUs = gpus()
		return u
	}
}

// cpuReading is CPU time so far, in seconds.
type cpuReading struct {
	all, busy, steal float64 // of the machine
	own              float64 // of this program's processes
	throttled        float64 // of the control group
}

func readCPU() cpuReading {
	var r cpuReading
	if times, err := cpu.Times(false); err == nil && len(times) > 0 {
		t := times[0] // guest time is part of user time
		r.busy = t.User + t.System + t.Nice + t.Irq + t.Softirq
		r.steal = t.Steal
		r.all = r.busy + t.Steal + t.Idle + t.Iowait
	}
	if self, err := process.NewProcess(int32(os.Getpid())); err == nil {
		EachDescendant(self, func(p *process.Process) {
			if t, err := p.Times(); err == nil {
				r.own += t.User + t.System
			}
		})
	}
	r.throttled = float64(cgroupStat("cpu.stat", "throttled_usec")) / 1e6
	return r
}

// usageBetween is what two readings tell.
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

// EachDescendant calls f for a process and all its descendants.
func EachDescendant(p *process.Process, f func(*process.Process)) {
	f(p)
	children, err := p.Children()
	if err != nil {
		return // it ended, and so has none
	}
	for _, child := range children {
		EachDescendant(child, f)
	}
}

// Sample calls f at intervals until the function that it returns is called, which waits for the last call.
func Sample(interval time.Duration, f func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				f()
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
