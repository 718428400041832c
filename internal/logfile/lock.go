package logfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// ErrInUse means that another process, or this one, is writing the file.
var ErrInUse = errors.New("the file is being written")

// lock makes this file's writer the only one until the file is closed. A file system without locks
// has none to give, and then the file is written without one.
func lock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w by process %s; wait until it ends, or stop it", ErrInUse, holder(file))
	}
	return nil
}

// holder returns the process ID of the writer of a file, from /proc/locks; "unknown" if it is not
// there, as for a process of another container.
func holder(file *os.File) string {
	const unknown = "unknown"
	info, err := file.Stat()
	if err != nil {
		return unknown
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return unknown
	}
	// 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
	inode := fmt.Sprintf(":%d", info.Sys().(*syscall.Stat_t).Ino)
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line)
		if len(fields) >= 6 && fields[1] == "FLOCK" && strings.HasSuffix(fields[5], inode) && fields[4] != "0" {
			return fields[4]
		}
	}
	return unknown
}
