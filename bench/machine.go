package bench

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
)

// Machine describes where a run took place. What cannot be found out is left empty.
type Machine struct {
	// CPU is the processor's product name.
	CPU string `json:"cpu,omitempty"`
	// Cores is the number of logical cores that this process may use.
	Cores int `json:"cores"`
	// Memory is the machine's memory, in bytes.
	Memory uint64 `json:"memory_bytes,omitempty"`
	// GPUs are the machine's NVIDIA GPUs, used or not.
	GPUs []GPU `json:"gpus,omitempty"`
	// OS is the operating system with its version and kernel.
	OS string `json:"os"`
	// Go is the version of Go that the program was built with.
	Go string `json:"go"`
}

// GPU is one NVIDIA GPU.
type GPU struct {
	// Name is its product name.
	Name string `json:"name"`
	// Memory is its memory, in bytes.
	Memory uint64 `json:"memory_bytes"`
}

// DescribeMachine looks at the machine that this program runs on.
func DescribeMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
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
		m.GPUs = append(m.GPUs, GPU{Name: name, Memory: memory.Total})
	})
	return m
}

// String is the machine in one line.
func (m Machine) String() string {
	parts := []string{}
	if m.CPU != "" {
		parts = append(parts, m.CPU)
	}
	parts = append(parts, count(m.Cores, "core"), formatBytes(int64(m.Memory))+" memory")
	for _, gpu := range m.GPUs {
		parts = append(parts, fmt.Sprintf("%s with %s", gpu.Name, formatBytes(int64(gpu.Memory))))
	}
	return strings.Join(append(parts, m.OS, m.Go), ", ")
}
