package machine

import (
	"runtime"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"vllmgo/bench/journal"
)

// Describe returns what the machine is that this program runs on.
func Describe() journal.Machine {
	m := journal.Machine{Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if cpus, err := cpu.Info(); err == nil && len(cpus) > 0 {
		m.CPU = cpus[0].ModelName
	}
	if memory, err := mem.VirtualMemory(); err == nil {
		m.Memory = memory.Total
	}
	if platform, _, version, err := host.PlatformInformation(); err == nil {
		m.OS += " " + platform + " " + version
	}
	if kernel, err := host.KernelVersion(); err == nil {
		m.OS += ", kernel " + kernel
	}
	eachGPU(func(device nvml.Device) {
		name, _ := device.GetName()
		memory, _ := device.GetMemoryInfo()
		m.GPUs = append(m.GPUs, journal.GPU{Name: name, Memory: memory.Total})
	})
	return m
}
