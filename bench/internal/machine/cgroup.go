package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupDir is the directory of the control group at the top, which in a container is the
// container's.
const cgroupDir = "/sys/fs/cgroup"

// cgroupBytes returns a figure of the control group; nil when there is none or it is "max".
func cgroupBytes(name string) *uint64 {
	text, err := os.ReadFile(filepath.Join(cgroupDir, name))
	if err != nil {
		return nil
	}
	bytes, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return nil
	}
	return &bytes
}

// cgroupStat returns a counter in a file of the control group; 0 when there is none.
func cgroupStat(file, name string) uint64 {
	text, err := os.ReadFile(filepath.Join(cgroupDir, file))
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
