package machine

import (
	"maps"
	"os"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/shirou/gopsutil/v4/process"
)

// PIDs is a set of processes.
type PIDs map[int32]bool

// Without returns the number of processes of p that are in neither a nor b.
func (p PIDs) Without(a, b PIDs) int {
	n := 0
	for pid := range p {
		if !a[pid] && !b[pid] {
			n++
		}
	}
	return n
}

// Descendants returns this process and all its descendants.
func Descendants() PIDs {
	all := PIDs{}
	if self, err := process.NewProcess(int32(os.Getpid())); err == nil {
		EachDescendant(self, func(p *process.Process) { all[p.Pid] = true })
	}
	return all
}

// EachDescendant calls f for a process and all its descendants.
func EachDescendant(p *process.Process, f func(*process.Process)) {
	f(p)
	children, err := p.Children()
	if err != nil {
		return // it ended, and has no children
	}
	for _, child := range children {
		EachDescendant(child, f)
	}
}

// OnGPUs returns the processes that compute on any of the machine's GPUs, with the IDs that NVML
// knows. They are those of the host, also in a container.
func OnGPUs() PIDs {
	all := PIDs{}
	eachGPU(func(device nvml.Device) { maps.Copy(all, computing(device)) })
	return all
}

// OwnOnGPUs returns the processes of this program that came onto the GPUs while an engine was
// loaded. before and after are what [OnGPUs] returned before and after, and descendants are this
// program's processes. When none of the new processes is a descendant, this program is in a
// container and does not know the IDs: OwnOnGPUs then returns all new processes.
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

// computing returns the processes that compute on a GPU.
func computing(device nvml.Device) PIDs {
	all := PIDs{}
	processes, _ := device.GetComputeRunningProcesses()
	for _, p := range processes {
		all[int32(p.Pid)] = true
	}
	return all
}
