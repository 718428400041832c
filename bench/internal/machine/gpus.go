package machine

import "github.com/NVIDIA/go-nvml/pkg/nvml"

// GPUMemory returns the memory in use on each of the machine's GPUs, in bytes.
func GPUMemory() []int64 {
	var used []int64
	eachGPU(func(device nvml.Device) {
		memory, _ := device.GetMemoryInfo()
		used = append(used, int64(memory.Used))
	})
	return used
}

// engineMemory is more memory than comes and goes on an idle GPU, and less than a CUDA context
// takes, in bytes.
const engineMemory = 64 << 20

// LoadedGPUs returns the numbers of the GPUs on which an engine runs, and the memory that loading
// added to all GPUs. before and after are what [GPUMemory] returned before and after loading.
//
// The processes on the GPUs would not do: their IDs are unknown in a container. When no GPU has
// more memory in use, as when an earlier engine in this process left memory to reuse, LoadedGPUs
// returns all GPUs.
func LoadedGPUs(before, after []int64) (gpus []int, added int64) {
	var all []int
	for i := range min(len(before), len(after)) {
		all = append(all, i)
		added += after[i] - before[i]
		if after[i]-before[i] > engineMemory {
			gpus = append(gpus, i)
		}
	}
	if gpus == nil {
		gpus = all
	}
	return gpus, added
}

// eachGPU calls f for each NVIDIA GPU; not at all when NVML cannot be loaded.
func eachGPU(f func(nvml.Device)) {
	if nvml.Init() != nvml.SUCCESS {
		return
	}
	defer func() { _ = nvml.Shutdown() }()
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
