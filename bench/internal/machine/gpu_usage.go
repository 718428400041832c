package machine

import (
	"maps"
	"slices"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"vllmgo/bench/journal"
)

// gpuInterval is the interval between two samples of a GPU.
const gpuInterval = 50 * time.Millisecond

// watchGPUs samples the GPUs with the given numbers until the function that it returns is called.
// own are the processes of this program on them.
func watchGPUs(gpus []int, own PIDs) (stop func() []journal.GPUUsage) {
	if nvml.Init() != nvml.SUCCESS {
		return func() []journal.GPUUsage { return nil }
	}
	var watches []*gpuWatch
	for _, i := range gpus {
		if device, ret := nvml.DeviceGetHandleByIndex(i); ret == nvml.SUCCESS {
			g := &gpuWatch{Device: device, seen: PIDs{}, GPUUsage: journal.GPUUsage{Index: i}}
			g.energy, _ = device.GetTotalEnergyConsumption()
			g.sample()
			watches = append(watches, g)
		}
	}
	stopSampling := Sample(gpuInterval, func() {
		for _, g := range watches {
			g.sample()
		}
	})
	return func() []journal.GPUUsage {
		defer func() { _ = nvml.Shutdown() }()
		stopSampling()
		var usages []journal.GPUUsage
		family := Descendants()
		for _, g := range watches {
			g.sample()
			u := g.end()
			u.OtherProcesses = g.seen.Without(own, family)
			usages = append(usages, u)
		}
		return usages
	}
}

// gpuWatch is a GPU that is being sampled.
type gpuWatch struct {
	nvml.Device
	energy  uint64 // at the start, in mJ
	busy    float64
	samples int
	seen    PIDs
	journal.GPUUsage
}

// sample takes one sample.
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

// end returns what the samples and the energy counter show.
func (g *gpuWatch) end() journal.GPUUsage {
	g.Busy = g.busy / float64(max(1, g.samples))
	if energy, ret := g.GetTotalEnergyConsumption(); ret == nvml.SUCCESS && g.energy > 0 {
		g.Energy = float64(energy-g.energy) / 1000
	}
	return g.GPUUsage
}

// slowReasons returns the names of those of NVML's clock event reasons that slow a GPU down. Being
// idle does not count, and neither do clocks that somebody set.
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
