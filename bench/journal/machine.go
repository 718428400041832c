package journal

import (
	"fmt"
	"strings"

	"vllmgo/bench/internal/format"
)

// Usage is what the machine did during a trial or a pass.
type Usage struct {
	// Cores is the number of cores that the program's processes kept busy, on average, by the
	// clocks of the processes; 0 when it is not known.
	Cores float64 `json:"cores"`
	// OtherCores is the number of cores that all other processes kept busy, on average.
	OtherCores float64 `json:"other_cores"`
	// Steal is the share of the machine's CPU time that a hypervisor gave to others.
	Steal float64 `json:"steal"`
	// Short is true when the time was too short for the machine's CPU time, which counts in ticks,
	// to tell what others used. OtherCores and Steal are then 0 and not known.
	Short bool `json:"short,omitempty"`
	// Throttled is the share of the time for which a CPU quota held the control group back.
	Throttled float64 `json:"throttled,omitempty"`
	// HostMemory is the resident memory of the program's processes at the end, in bytes.
	HostMemory int64 `json:"host_memory_bytes"`
	// GPUs are the NVIDIA GPUs that the engine runs on, in NVML's order; none without NVML.
	GPUs []GPUUsage `json:"gpus,omitempty"`
}

// GPUUsage is what a GPU did during a trial. Use, memory and clocks are sampled every 50 ms.
type GPUUsage struct {
	// Index is the GPU's number in NVML.
	Index int `json:"gpu"`
	// Busy is the share of time in which a kernel ran, averaged over the samples.
	Busy float64 `json:"busy"`
	// Memory is the most memory in use, in bytes.
	Memory int64 `json:"memory_bytes"`
	// Energy is the energy used, in joules, by the GPU's counter; 0 when it has none, and when it
	// did not count on in a short time.
	Energy float64 `json:"energy_j,omitempty"`
	// LowClock and HighClock are the lowest and the highest SM clock, in MHz.
	LowClock  int `json:"low_clock_mhz"`
	HighClock int `json:"high_clock_mhz"`
	// Slowed has the reasons for which the GPU was slowed down: "power cap", "heat", "power brake"
	// or "hardware slowdown".
	Slowed []string `json:"slowed,omitempty"`
	// OtherProcesses is the number of foreign processes that computed on the GPU.
	OtherProcesses int `json:"other_processes,omitempty"`
}

// Joules returns the energy of the GPUs, in joules. It is known when each GPU has said its own.
func (u Usage) Joules() (total float64, known bool) {
	known = len(u.GPUs) > 0
	for _, g := range u.GPUs {
		total += g.Energy
		known = known && g.Energy > 0
	}
	return total, known
}

// Machine describes the machine of a run. What cannot be found out is empty.
type Machine struct {
	// CPU is the processor's product name.
	CPU string `json:"cpu,omitempty"`
	// Cores is the number of logical cores that the process may use.
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
	// Name is the product name.
	Name string `json:"name"`
	// Memory is the GPU's memory, in bytes.
	Memory uint64 `json:"memory_bytes"`
}

// String returns the machine in one line.
func (m Machine) String() string {
	parts := []string{}
	if m.CPU != "" {
		parts = append(parts, m.CPU)
	}
	parts = append(parts, format.Count(m.Cores, "core"), format.Bytes(int64(m.Memory))+" memory")
	for _, gpu := range m.GPUs {
		parts = append(parts, fmt.Sprintf("%s with %s", gpu.Name, format.Bytes(int64(gpu.Memory))))
	}
	return strings.Join(append(parts, m.OS, m.Go), ", ")
}
