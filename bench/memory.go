package bench

import (
	"fmt"
	"os"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/process"
)

// hostMemory is the resident memory of this process and all its descendants, in bytes.
func hostMemory() (int64, error) {
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return 0, fmt.Errorf("bench: measuring memory: %w", err)
	}
	return treeMemory(self)
}

func treeMemory(p *process.Process) (int64, error) {
	info, err := p.MemoryInfo()
	if err != nil {
		return 0, fmt.Errorf("bench: measuring memory: %w", err)
	}
	total := int64(info.RSS)
	children, err := p.Children()
	if err != nil {
		return 0, fmt.Errorf("bench: measuring memory: %w", err)
	}
	for _, child := range children {
		// A child that ended since it was listed has no memory to count.
		if memory, err := treeMemory(child); err == nil {
			total += memory
		}
	}
	return total, nil
}

// gpuMemory is the memory in use on all GPUs of the machine, in bytes; nil without NVML.
func gpuMemory() *int64 {
	var used int64
	found := false
	eachGPU(func(device nvml.Device) {
		if memory, ret := device.GetMemoryInfo(); ret == nvml.SUCCESS {
			used += int64(memory.Used)
			found = true
		}
	})
	if !found {
		return nil
	}
	return &used
}

// eachGPU calls f for each NVIDIA GPU; not at all when NVML cannot be loaded.
func eachGPU(f func(nvml.Device)) {
	if nvml.Init() != nvml.SUCCESS {
		return
	}
	defer nvml.Shutdown()
	n, ret := nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return
	}
	for i := range n {
		if device, ret := nvml.DeviceGetHandleByIndex(i); ret == nvml.SUCCESS {
			f(device)
		}
	}
}
