package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
)

// HostMemory is the resident memory of this process and all its descendants, in bytes.
func HostMemory() (int64, error) {
	own, children, err := ProcessMemory()
	return own + children, err
}

// ProcessMemory is the resident memory of this process and that of all its descendants, in bytes.
func ProcessMemory() (own, children int64, err error) {
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return 0, 0, fmt.Errorf("bench: measuring memory: %w", err)
	}
	EachDescendant(self, func(p *process.Process) {
		switch info, err := p.MemoryInfo(); {
		case err != nil: // it ended since it was listed, and has no memory to count
		case p.Pid == self.Pid:
			own = int64(info.RSS)
		default:
			children += int64(info.RSS)
		}
	})
	return own, children, nil
}

// GPUMemory is the memory in use on each of the machine's GPUs, in bytes; none without NVML.
func GPUMemory() []int64 {
	var used []int64
	eachGPU(func(device nvml.Device) {
		memory, _ := device.GetMemoryInfo()
		used = append(used, int64(memory.Used))
	})
	return used
}

// ownMemory is more than what comes and goes on an idle GPU, and less than a CUDA context, in bytes.
const ownMemory = 64 << 20

// LoadedGPUs are the numbers of the GPUs on which an engine runs, given the memory in use on each of the machine's before
// and after loading, and what loading added to all of them. Processes would tell too, but not their IDs in a
// container. When no GPU has more memory in use, as when an engine in this process left some to reuse, all count.
func LoadedGPUs(before, after []int64) (gpus []int, added int64) {
	var all []int
	for i := range min(len(before), len(after)) {
		all = append(all, i)
		added += after[i] - before[i]
		if after[i]-before[i] > ownMemory {
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

// AvailableMemory is the memory that this process can still get, in bytes: what is available on the machine or,
// if that is less, in its control group (cgroup v2), as in a container with a limit.
func AvailableMemory() (uint64, error) {
	memory, err := mem.VirtualMemory()
	if err != nil {
		return 0, fmt.Errorf("measuring the memory that is available: %w", err)
	}
	limit, used := cgroupBytes("memory.max"), cgroupBytes("memory.current")
	if limit == nil || used == nil {
		return memory.Available, nil
	}
	return min(memory.Available, *limit-min(*used, *limit)), nil
}

// cgroupBytes reads a figure of the control group at the top of /sys/fs/cgroup, which in a container is its own;
// nil when there is none or it is "max".
func cgroupBytes(name string) *uint64 {
	text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", name))
	if err != nil {
		return nil
	}
	bytes, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return nil
	}
	return &bytes
}

// cgroupStat is a counter in a file of the control group at the top of /sys/fs/cgroup; 0 when there is none.
func cgroupStat(file, name string) uint64 {
	text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}
