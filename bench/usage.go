package bench

import (
	"maps"
	"os"
	"slices"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// Usage is what the machine did during a trial.
type Usage struct {
	// Cores is the number of cores that this program's processes kept busy, on average.
	Cores float64 `json:"cores"`
	// OtherCores is the number of cores that all else on the machine kept busy, on average.
	OtherCores float64 `json:"other_cores"`
	// Steal is the share of the machine's CPU time that a hypervisor gave to others.
	Steal float64 `json:"steal"`
	// Throttled is the share of the trial for which the control group was held back by its CPU quota.
	Throttled float64 `json:"throttled,omitempty"`
	// HostMemory is the resident memory of this program's processes at the end, in bytes.
	HostMemory int64 `json:"host_memory_bytes"`
	// GPUs are the NVIDIA GPUs that the engine runs on, in NVML's order; none without NVML.
	GPUs []GPUUsage `json:"gpus,omitempty"`
}

// GPUUsage is what a GPU did during a trial. Use, memory and clocks are sampled every 50 ms.
type GPUUsage struct {
	// Index is its number in NVML's order.
	Index int `json:"gpu"`
	// Busy is the share of time in which a kernel ran, averaged over the samples.
	Busy float64 `json:"busy"`
	// Memory is the most memory in use, in bytes.
	Memory int64 `json:"memory_bytes"`
	// Energy is what it used, in joules, by its own counter; 0 when it has none.
	Energy float64 `json:"energy_j,omitempty"`
	// LowClock and HighClock bound its SM clock, in MHz.
	LowClock  int `json:"low_clock_mhz"`
	HighClock int `json:"high_clock_mhz"`
	// Slowed says why it ran slower than it could: "power cap", "heat", "power brake", "hardware slowdown".
	Slowed []string `json:"slowed,omitempty"`
	// OtherProcesses is the number of processes that computed on it and are none of this program's.
	OtherProcesses int `json:"other_processes,omitempty"`
}

// watchMachine begins to watch the machine and the GPUs with the given numbers. The function that it returns ends that
// and returns what was seen; a figure that cannot be found out is 0. own are this program's processes on GPUs.
func watchMachine(indices []int, own pids) (stop func() Usage) {
	if stubUsage != nil {
		return stubUsage
	}
	start, began := readCPU(), time.Now()
	gpus := watchGPUs(indices, own)
	return func() Usage {
		wall := time.Since(began)
		end := readCPU()
		u := usageBetween(start, end, wall)
		u.HostMemory, _ = hostMemory()
		u.GPUs = gpus()
		return u
	}
}

// stubUsage replaces what is seen, in tests.
var stubUsage func() Usage

// stub makes watchMachine report what usage returns and otherLoadAverage 0, for tests; nil ends that.
func stub(usage func() Usage) { stubUsage = usage }

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
func usageBetween(start, end cpuReading, wall time.Duration) Usage {
	own := max(0, end.own-start.own)
	u := Usage{
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

// watchGPUs samples GPUs until the function that it returns is called. own are this program's processes there.
func watchGPUs(indices []int, own pids) func() []GPUUsage {
	if nvml.Init() != nvml.SUCCESS {
		return func() []GPUUsage { return nil }
	}
	var gpus []*gpuWatch
	for _, i := range indices {
		if device, ret := nvml.DeviceGetHandleByIndex(i); ret == nvml.SUCCESS {
			g := &gpuWatch{Device: device, seen: pids{}, GPUUsage: GPUUsage{Index: i}}
			g.energy, _ = device.GetTotalEnergyConsumption()
			g.sample()
			gpus = append(gpus, g)
		}
	}
	stop := sample(50*time.Millisecond, func() {
		for _, g := range gpus {
			g.sample()
		}
	})
	return func() []GPUUsage {
		stop()
		var usages []GPUUsage
		family := descendants()
		for _, g := range gpus {
			g.sample()
			u := g.end()
			u.OtherProcesses = g.seen.without(own, family)
			usages = append(usages, u)
		}
		nvml.Shutdown()
		return usages
	}
}

// sample calls f at intervals until the function that it returns is called, which waits for the last call.
func sample(interval time.Duration, f func()) (stop func()) {
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

// gpuWatch is a GPU that is being sampled.
type gpuWatch struct {
	nvml.Device
	energy  uint64 // at the start, in mJ
	busy    float64
	samples int
	seen    pids
	GPUUsage
}

func (g *gpuWatch) sample() {
	if rates, ret := g.GetUtilizationRates(); ret == nvml.SUCCESS {
		g.busy += float64(rates.Gpu) / 100
		g.samples++
	}
	if memory, ret := g.GetMemoryInfo(); ret == nvml.SUCCESS {
		g.Memory = max(g.Memory, int64(memory.Used))
	}
	if mhz, ret := g.GetClockInfo(nvml.CLOCK_SM); ret == nvml.SUCCESS {
		if g.LowClock == 0 {
			g.LowClock = int(mhz)
		}
		g.LowClock, g.HighClock = min(g.LowClock, int(mhz)), max(g.HighClock, int(mhz))
	}
	if reasons, ret := g.GetCurrentClocksEventReasons(); ret == nvml.SUCCESS {
		for _, why := range slowReasons(reasons) {
			if !slices.Contains(g.Slowed, why) {
				g.Slowed = append(g.Slowed, why)
			}
		}
	}
	maps.Copy(g.seen, computing(g.Device))
}

func (g *gpuWatch) end() GPUUsage {
	g.Busy = g.busy / float64(max(1, g.samples))
	if energy, ret := g.GetTotalEnergyConsumption(); ret == nvml.SUCCESS && g.energy > 0 {
		g.Energy = float64(energy-g.energy) / 1000
	}
	return g.GPUUsage
}

// slowReasons names the bits of NVML's clock event reasons that slow a GPU down. Being idle and clocks that
// somebody set do not count.
func slowReasons(reasons uint64) []string {
	var names []string
	for _, r := range []struct {
		bit  uint64
		name string
	}{
		{nvml.ClocksEventReasonSwPowerCap, "power cap"},
		{nvml.ClocksEventReasonSwThermalSlowdown | nvml.ClocksThrottleReasonHwThermalSlowdown, "heat"},
		{nvml.ClocksThrottleReasonHwPowerBrakeSlowdown, "power brake"},
		{nvml.ClocksThrottleReasonHwSlowdown, "hardware slowdown"},
	} {
		if reasons&r.bit != 0 {
			names = append(names, r.name)
		}
	}
	return names
}

// otherLoadAverage is the machine's load average over the last minute, less the most that this process and those it waited
// for can have added to it: their CPU time over a minute. 0 when it cannot be found out.
func otherLoadAverage() float64 {
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

// joules is the energy of the GPUs, in joules; 0 when they do not tell.
func (u Usage) joules() float64 {
	total := 0.0
	for _, g := range u.GPUs {
		total += g.Energy
	}
	return total
}
