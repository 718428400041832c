package machine

import (
	"fmt"
	"os"

	"github.com/shirou/gopsutil/v4/mem"
)

// HostMemory returns the resident memory of this process and all its descendants, in bytes.
func HostMemory() (int64, error) {
	own, children, err := ProcessMemory()
	return own + children, err
}

// ProcessMemory returns the resident memory of this process and that of all its descendants, in
// bytes.
func ProcessMemory() (own, children int64, err error) {
	self := int32(os.Getpid())
	for _, p := range family() {
		switch info, err := p.MemoryInfo(); {
		case err != nil && p.Pid == self:
			return 0, 0, fmt.Errorf("measuring the memory of this program: %w", err)
		case err != nil: // it ended, and has no memory to count
		case p.Pid == self:
			own = int64(info.RSS)
		default:
			children += int64(info.RSS)
		}
	}
	return own, children, nil
}

// AvailableMemory returns the memory that this process can still get, in bytes: what is available
// on the machine or, if that is less, in its control group (cgroup v2), as in a container with a
// limit.
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
