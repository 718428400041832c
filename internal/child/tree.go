package child

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// descendants returns the process IDs of all descendants of a process, parents before children,
// with or without guards. Those of a guard are there in both cases.
func descendants(root int, guards bool) []int {
	type process struct {
		pid   int
		guard bool
	}
	children := map[int][]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid
	for _, file := range files {
		// For example: 4711 (python3) S 4242 …
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		number, rest, _ := bytes.Cut(text, []byte(" ("))
		i := bytes.LastIndex(rest, []byte(") ")) // a name may hold parentheses
		if i < 0 {
			continue
		}
		var pid, parent int
		var state string
		if _, err := fmt.Sscan(string(number)+string(rest[i+1:]), &pid, &state, &parent); err != nil {
			continue
		}
		children[parent] = append(children[parent], process{pid, string(rest[:i]) == guardName})
	}
	var pids []int
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, p := range children[queue[0]] {
			queue = append(queue, p.pid)
			if guards || !p.guard {
				pids = append(pids, p.pid)
			}
		}
	}
	return pids
}

// signalAll sends a signal to processes.
func signalAll(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, s) // the only error is that it has ended
	}
}
