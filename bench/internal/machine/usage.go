package machine

import (
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"golang.org/x/sys/unix"

	"vllmgo/bench/journal"
)

// Watch starts to watch the machine and the GPUs with the given numbers. The function that it
// returns stops that and returns what was seen. own are the processes of this program on the GPUs.
func Watch(gpus []int, own PIDs) (stop func() journal.Usage) {
	if stubUsage != nil {
		return stubUsage
	}
	stopGPUs := watchGPUs(gpus, own)
	start := readCPU()
	processes, began := processTimes(), time.Now()
	return func() journal.Usage {
		wall, used := max(1, time.Since(began)), usedSince(processes)
		u := usageBetween(start, readCPU(), used, wall, runtime.NumCPU())
		u.HostMemory, _ = HostMemory()
		u.GPUs = stopGPUs()
		return u
	}
}

// cpuReading is the CPU time so far, in seconds.
type cpuReading struct {
	all, busy, steal float64 // of the machine
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
	r.throttled = float64(cgroupStat("cpu.stat", "throttled_usec")) / 1e6
	return r
}

// ProcessTime returns the CPU time of a process and of all threads that it has had, by its own
// clock, which counts in nanoseconds. It is 0 for a process that has ended. The times in
// /proc/PID/stat count in ticks of 10 ms.
func ProcessTime(pid int32) time.Duration {
	var t unix.Timespec
	// The clock of a process: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of
	// include/linux/posix-timers_types.h.
	if unix.ClockGettime(^pid<<3|2, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// processTimes returns the CPU time so far of each of this program's processes.
func processTimes() map[int32]time.Duration {
	processes, times := family(), map[int32]time.Duration{}
	for _, p := range processes { // whose listing is not in the times
		times[p.Pid] = ProcessTime(p.Pid)
	}
	return times
}

// usedSince returns the CPU time of this program's processes since they had the given times.
func usedSince(start map[int32]time.Duration) time.Duration {
	var used time.Duration
	for pid, before := range start {
		used += max(0, ProcessTime(pid)-before) // less when it has ended
	}
	for _, p := range family() {
		if _, counted := start[p.Pid]; !counted {
			used += ProcessTime(p.Pid)
		}
	}
	return used
}

// usageBetween returns the use of the cores between two readings, of which own is that of this
// program.
func usageBetween(start, end cpuReading, own, wall time.Duration, cores int) journal.Usage {
	u := journal.Usage{
		Cores: min(own.Seconds()/wall.Seconds(), float64(cores)), // the clocks are not read at once
		// The greatest share is 1. What was held back is counted when it ends.
		Throttled: min(1, max(0, end.throttled-start.throttled)/wall.Seconds()),
		Short:     tooShort(wall, cores),
	}
	if u.Short {
		return u
	}
	u.OtherCores = max(0, end.busy-start.busy-own.Seconds()) / wall.Seconds()
	if all := end.all - start.all; all > 0 {
		u.Steal = max(0, end.steal-start.steal) / all
	}
	return u
}

// tooShort reports whether a time is too short to tell from the machine's CPU time what others
// used. That counts in ticks of 10 ms: in kinds such as user time and steal, and on each core,
// whose whole tick counts for who runs at its end. All cores together must have had 100 ticks, so
// that a single one is at most 1 %, and each at least 6, so that the error of many cores is small
// too.
func tooShort(wall time.Duration, cores int) bool {
	return wall < time.Second/time.Duration(min(max(1, cores), 16))
}
