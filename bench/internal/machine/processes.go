package machine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	for _, p := range family() {
		all[p.Pid] = true
	}
	return all
}

// family returns this process and all its descendants, parents before children.
func family() []*process.Process {
	var all []*process.Process
	for queue := []int32{int32(os.Getpid())}; len(queue) > 0; queue = queue[1:] {
		p, err := process.NewProcess(queue[0])
		if err != nil {
			continue // it ended
		}
		all = append(all, p)
		queue = append(queue, children(p)...)
	}
	return all
}

// children returns the children of a process. The kernel lists them for each of its threads
// (proc(5)), which is far cheaper than gopsutil's walk over all processes of the machine.
func children(p *process.Process) []int32 {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.Pid))
	if err != nil || len(lists) == 0 { // a kernel without them, or the process ended
		processes, _ := p.Children()
		var pids []int32
		for _, child := range processes {
			pids = append(pids, child.Pid)
		}
		return pids
	}
	var pids []int32
	for _, list := range lists {
		text, _ := os.ReadFile(list) // the thread may have ended
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.ParseInt(field, 10, 32); err == nil {
				pids = append(pids, int32(pid))
			}
		}
	}
	return pids
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
