package bench

import (
	"maps"
	"os"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/process"
)

// pids is a set of processes.
type pids map[int32]bool

// without counts the processes of p that are in neither of the others.
func (p pids) without(a, b pids) int {
	n := 0
	for pid := range p {
		if !a[pid] && !b[pid] {
			n++
		}
	}
	return n
}

// descendants are this process and all that it started.
func descendants() pids {
	all := pids{}
	if self, err := process.NewProcess(int32(os.Getpid())); err == nil {
		EachDescendant(self, func(p *process.Process) { all[p.Pid] = true })
	}
	return all
}

// computing are the processes that compute on a GPU, numbered as NVML does: as the host does, also in a container.
func computing(device nvml.Device) pids {
	all := pids{}
	processes, _ := device.GetComputeRunningProcesses()
	for _, p := range processes {
		all[int32(p.Pid)] = true
	}
	return all
}

// computingAnywhere are the processes that compute on any of the machine's GPUs.
func computingAnywhere() pids {
	all := pids{}
	eachGPU(func(device nvml.Device) { maps.Copy(all, computing(device)) })
	return all
}

// ownOnGPUs are those of this program's processes that an engine's loading brought onto the GPUs, as NVML numbers them. When
// none of the new ones is a descendant, the numbers are a host's outside this container, and all new ones count.
func ownOnGPUs(before, after, descendants pids) pids {
	appeared, own := pids{}, pids{}
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
