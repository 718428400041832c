package machine

import (
	"maps"
	"slices"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"vllmgo/bench/journal"
)

// watchGPUs samples GPUs until the function that it returns is called. own are this program's processes there.
func watchGPUs(indices []int, own PIDs) func() []journal.GPUUsage {
	if nvml.Init() != nvml.SUCCESS {
		return func() []journal.GPUUsage { return nil }
	}
	var gpus []*gpuWatch
	for _, i := range indices {
		if device, ret := nvml.DeviceGetHandleByIndex(i); ret == nvml.SUCCESS {
			g := &gpuWatch{Device: device, seen: PIDs{}, GPUUsage: journal.GPUUsage{Index: i}}
			g.energy, _ = device.GetTotalEnergyConsumption()
			g.sample()
			gpus = append(gpus, g)
		}
	}
	stop := Sample(50*time.Millisecond, func() {
		for _, g := range gpus {
			g.sample()
		}
	})
	return func() []journal.GPUUsage {
		stop()
		var usages []journal.GPUUsage
		family := Descendants()
		for _, g := range gpus {
			g.sample()
			u := g.end()
			u.OtherProcesses = g.seen.Without(own, family)
			usages = append(usages, u)
		}
		nvml.Shutdown()
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

func (g *gpuWatch) end() journal.GPUUsage {
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
