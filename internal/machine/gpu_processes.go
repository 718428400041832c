package machine

import (
	"maps"
	"os"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/process"
)

// PIDs is a set of processes.
type PIDs map[int32]bool

// Without counts the processes of p that are in neither of the others.
func (p PIDs) Without(a, b PIDs) int {
	n := 0
	for pid := range p {
		if !a[pid] && !b[pid] {
			n++
		}
	}
	return n
}

// Descendants are this process and all that it started.
func Descendants() PIDs {
	all := PIDs{}
	if self, err := process.NewProcess(int32(os.Getpid())); err == nil {
		EachDescendant(self, func(p *process.Process) { all[p.Pid] = true })
	}
	return all
}

// computing are the processes that compute on a GPU, numbered as NVML does: as the host does, also in a container.
func computing(device nvml.Device) PIDs {
	all := PIDs{}
	processes, _ := device.GetComputeRunningProcesses()
	for _, p := range processes {
		all[int32(p.Pid)] = true
	}
	return all
}

// OnGPUs are the processes that compute on any of the machine's GPUs.
func OnGPUs() PIDs {
	all := PIDs{}
	eachGPU(func(device nvml.Device) { maps.Copy(all, computing(device)) })
	return all
}

// OwnOnGPUs are those of this program's processes that an engine's loading brought onto the GPUs, as NVML numbers them. When
// none of the new ones is a descendant, the numbers are a host's outside this container, and all new ones count.
func OwnOnGPUs(before, after, descendants PIDs) PIDs {
	appeared, own := PIDs{}, PIDs{}
	for pid := range after {
		if !before[pid] {
			appeared[pid] = true
			if descendants[pid] {
				own[pid] = true
			}
		}
	}
	if len(own) == 0 {
		return appeared
	}
	return own
}
