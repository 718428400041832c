package child

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// guardVariable is set in a guard's environment: the process ID of its parent and the number of
	// the child's files beyond the standard streams.
	guardVariable = "VLLMGO_CHILD_GUARD"
	// guardName is what a guard is called in lists of processes.
	guardName = "vllmgo-guard"
	// linger is how long descendants may take to end after the child has ended or was killed.
	linger = 2 * time.Second
	// giveUp is how long a guard tries to kill a process. One in a driver's call cannot be killed.
	giveUp = 30 * time.Second
)

// message is what a guard reports to its parent: that the child has started or why not, and how it
// ended.
type message struct {
	PID   int           `json:",omitempty"`
	Errno syscall.Errno `json:",omitempty"`
	Exit  Exit          `json:",omitzero"`
}

// A guard is this program with guardVariable set.
func init() {
	setting, ok := os.LookupEnv(guardVariable)
	if !ok {
		return
	}
	_ = os.Unsetenv(guardVariable) // it exists
	// The kernel kills the child when the thread that started it ends. The main thread never does.
	runtime.LockOSThread()
	status := 0
	if err := guard(setting); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", guardName, err)
		status = 1
	}
	syscall.Exit(status) // os.Exit would first wait for a second in programs built with -race
}

// guard starts the child, waits until it or the parent ends, and then ends what is left of the
// tree.
func guard(setting string) error {
	var parent, extra int
	if _, err := fmt.Sscan(setting, &parent, &extra); err != nil {
		return fmt.Errorf("%s=%s: %w", guardVariable, setting, err)
	}
	watched, reports := 3+extra, 4+extra
	unix.CloseOnExec(watched)
	unix.CloseOnExec(reports)
	if err := os.WriteFile("/proc/self/comm", []byte(guardName), 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_CHILD_SUBREAPER: %w", err)
	}
	catchSignals()
	orphaned := watch(parent, watched)

	report := json.NewEncoder(os.NewFile(uintptr(reports), "reports"))
	began := time.Now()
	child, err := startChild(extra)
	if err != nil {
		return report.Encode(message{Errno: err.(syscall.Errno)})
	}
	if err := report.Encode(message{PID: child}); err != nil {
		_ = unix.Kill(child, unix.SIGKILL) // the parent has ended
	}
	ended, alone := reap(child, began, report)
	select {
	case <-ended:
	case <-orphaned:
		_ = unix.Kill(child, unix.SIGKILL) // the only error is that it has ended
	}
	end(alone)
	return nil
}

// catchSignals makes this process survive what is meant for others. Signals that were ignored
// before stay so, since the child inherits that.
func catchSignals() {
	for _, s := range []os.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGTSTP, unix.SIGUSR1, unix.SIGUSR2,
	} {
		if !signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// watch returns a channel that is closed when the parent ends or wants the tree to end, which is
// when the file descriptor can be read or is at its end.
func watch(parent, fd int) <-chan struct{} {
	orphaned := make(chan struct{})
	pidfd, err := unix.PidfdOpen(parent, 0)
	if err != nil {
		pidfd = -1 // which Poll leaves out: the kernel is older than 5.3, or a sandbox forbids it
	}
	if os.Getppid() != parent {
		close(orphaned)
		return orphaned
	}
	go func() {
		defer close(orphaned)
		files := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(files, -1); err != unix.EINTR {
				return
			}
		}
	}()
	return orphaned
}

// startChild starts the process that the command line names and gives it this process's files.
func startChild(extra int) (pid int, err error) {
	files := make([]uintptr, 3+extra)
	for i := range files {
		files[i] = uintptr(i)
	}
	pid, err = syscall.ForkExec(os.Args[1], os.Args[2:], &syscall.ProcAttr{
		Env: os.Environ(), Files: files,
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, err
	}
	// Whoever reads from the child's files must see their end when the child closes them. Standard
	// error stays open for this process's own.
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	for fd := range files {
		switch {
		case fd == 2:
		case fd < 2 && err == nil:
			_ = unix.Dup3(null, fd, unix.O_CLOEXEC) // both are open
		default:
			_ = unix.Close(fd)
		}
	}
	return pid, nil
}

// reap waits for all children and reports how the one that began at a time ended. The first channel
// is closed then, the second when there are no children left and therefore no descendants.
func reap(child int, began time.Time, report *json.Encoder) (ended, alone <-chan struct{}) {
	first, last := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(last)
		for {
			var status unix.WaitStatus
			var usage unix.Rusage
			pid, err := unix.Wait4(-1, &status, unix.WALL, &usage)
			switch {
			case err == unix.EINTR:
			case err != nil: // ECHILD
				return
			case pid == child:
				exit := Exit{
					Code: status.ExitStatus(),
					Wall: time.Since(began),
					CPU:  time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
				}
				if status.Signaled() {
					exit.Signal = status.Signal()
				}
				_ = report.Encode(message{Exit: exit}) // an error says that the parent has ended
				close(first)
			}
		}
	}()
	return first, last
}

// end ends all descendants: gently for a moment, so that they can remove their files, then by
// force.
func end(alone <-chan struct{}) {
	self := os.Getpid()
	pids := descendants(self, true)
	signalAll(pids, unix.SIGTERM)
	signalAll(pids, unix.SIGCONT)
	select {
	case <-alone:
		return
	case <-time.After(linger):
	}
	for began := time.Now(); time.Since(began) < giveUp; {
		signalAll(descendants(self, true), unix.SIGKILL)
		select {
		case <-alone:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
