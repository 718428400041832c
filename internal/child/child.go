// Package child starts processes that do not outlive the one that started them.
//
// A [Process] is a child process with all its descendants. All of them end when this process ends,
// whatever ends it: a return from main, os.Exit, a panic, or any signal, SIGKILL included. It makes
// no difference whether they run or are stopped. They also end when the child itself ends.
//
// # Why a guard
//
// Between this process and the child runs a guard: this program again, which does nothing but
// watch. It is the only way that covers all cases on Linux without privileges:
//
//   - PR_SET_PDEATHSIG kills the child only. A child in plain Python leaves its engine core behind,
//     for ever if that is stopped. The signal also comes as soon as the thread that started the
//     child ends, which in Go is not the end of the process.
//   - A pipe whose other end closes wakes nobody who is stopped, and every process in the tree
//     would have to read it.
//   - Signals to a process group or a session miss descendants that leave it, as Ray's processes
//     do.
//   - PID namespaces and control groups need privileges that containers lack.
//
// The guard is the subreaper of its descendants (PR_SET_CHILD_SUBREAPER): a process whose parent
// dies becomes the guard's child and not init's. So the guard finds every process of the tree,
// waits for each, and knows when none is left. It learns of its parent's end from a pipe and from a
// file descriptor of the parent's process (pidfd), either of which suffices. The pipe works on
// every kernel; the pidfd still works when a fork of this process holds the pipe open. If the guard
// itself is killed, the kernel kills the child (PR_SET_PDEATHSIG; the guard never ends the thread
// that started it). In that case alone descendants of the child may be left.
//
// A guard takes about 20 ms to start and sleeps afterwards. It never reaches main: it starts in
// this package's init function. Packages that are initialized earlier run theirs in the guard as
// well.
//
// # Signals from a terminal
//
// Guard and child have process groups that differ from this process's group. Ctrl-C therefore
// reaches this process only, which decides what happens to the child.
package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Process is a child process with all its descendants. Its methods may be called by several
// goroutines at once, and after its end.
type Process struct {
	guard *exec.Cmd
	main  *os.Process
	life  *os.File // the guard kills the tree when it reads from its other end, or when that closes
	done  chan struct{}
	exit  Exit // valid once done is closed
}

// Exit describes how a child ended.
type Exit struct {
	// Code is the exit status, or -1 if a signal ended the child.
	Code int
	// Signal is the signal that ended the child, or 0.
	Signal syscall.Signal
	// Wall is the time from the child's start to its end.
	Wall time.Duration
	// CPU is the processor time of the child and of those of its descendants that it waited for.
	CPU time.Duration
}

// String returns a description such as "exit status 2" or "signal: killed".
func (e Exit) String() string {
	if e.Signal != 0 {
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Start starts the process that cmd describes. It uses cmd's Path, Args, Env, Dir, standard streams
// and ExtraFiles, as cmd.Start does, and overwrites the rest. The caller must not call cmd's
// methods afterwards. Use [Process.Kill] when a context ends; exec.CommandContext is not supported.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.Cancel != nil {
		return nil, errors.New("child: Start got a command from exec.CommandContext; use exec.Command and Kill")
	}
	path, args := cmd.Path, cmd.Args
	if len(args) == 0 {
		args = []string{path}
	}
	watched, life, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("child: starting %s: %w", path, err)
	}
	defer watched.Close()
	reports, report, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("child: starting %s: %w", path, err), life.Close())
	}
	defer report.Close()

	cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%d %d", guardVariable, os.Getpid(), len(cmd.ExtraFiles)))
	cmd.Path, cmd.Args = "/proc/self/exe", slices.Concat([]string{guardName, path}, args)
	cmd.ExtraFiles = slices.Concat(cmd.ExtraFiles, []*os.File{watched, report})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("child: starting %s: %w", path, err), life.Close(), reports.Close())
	}
	report.Close() // so that reading reports ends with the guard
	p := &Process{guard: cmd, life: life, done: make(chan struct{})}
	decoder := json.NewDecoder(reports)
	var started message
	if err := decoder.Decode(&started); err != nil {
		err = fmt.Errorf("child: starting %s: its guard failed: %w", path, errors.Join(err, cmd.Wait()))
		return nil, errors.Join(err, life.Close(), reports.Close())
	}
	if started.Errno != 0 {
		_ = cmd.Wait() // the error is the one that the guard reported
		err = &os.PathError{Op: "child: starting", Path: path, Err: started.Errno}
		return nil, errors.Join(err, life.Close(), reports.Close())
	}
	if p.main, err = os.FindProcess(started.PID); err != nil {
		p.Kill()
		return nil, errors.Join(err, cmd.Wait(), life.Close(), reports.Close())
	}
	go func() {
		p.exit = Exit{Code: -1, Signal: syscall.SIGKILL} // by the kernel, if the guard dies
		var ended message
		if decoder.Decode(&ended) == nil {
			p.exit = ended.Exit
		}
		_ = cmd.Wait() // the guard's own end says nothing
		reports.Close()
		life.Close()
		close(p.done)
	}()
	return p, nil
}

// PID returns the child's process ID.
func (p *Process) PID() int { return p.main.Pid }

// Done returns a channel that is closed when the child and all its descendants have ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits until the child and all its descendants have ended, and returns how the child ended.
// Descendants that outlive the child get SIGTERM and, after two seconds, SIGKILL.
func (p *Process) Wait() Exit {
	<-p.done
	return p.exit
}

// Signal sends a signal to the child, and not to its descendants. It does nothing after the child's
// end.
func (p *Process) Signal(s syscall.Signal) {
	_ = p.main.Signal(s) // the only error is that the child has ended
}

// Kill kills the child and all its descendants, stopped or not. It does not wait for their end.
// Descendants get SIGTERM first, so that they can remove their files, and two seconds for it.
func (p *Process) Kill() {
	_, _ = p.life.Write([]byte{0}) // the only error is that all of them have ended
}

// End ends the child and all its descendants, and returns how the child ended. It sends the signals
// to the child, continues what is stopped, and kills all of them if they have not ended after
// grace.
func (p *Process) End(grace time.Duration, signals ...syscall.Signal) Exit {
	for _, s := range signals {
		p.Signal(s)
	}
	p.Continue()
	select {
	case <-p.done:
	case <-time.After(grace):
		p.Kill()
	}
	return p.Wait()
}

// Stop stops the child and all its descendants until Continue, End or Kill.
func (p *Process) Stop() {
	stopped := map[int]bool{}
	for {
		before := len(stopped)
		for _, pid := range p.PIDs() {
			if !stopped[pid] {
				stopped[pid] = true
				_ = syscall.Kill(pid, syscall.SIGSTOP) // the only error is that it has ended
			}
		}
		if len(stopped) == before { // and no process appeared since the last look
			return
		}
	}
}

// Continue continues the child and all its descendants after Stop.
func (p *Process) Continue() { signalAll(p.PIDs(), syscall.SIGCONT) }

// PIDs returns the process IDs of the child and all its descendants, parents before children.
func (p *Process) PIDs() []int {
	select {
	case <-p.done:
		return nil
	default:
		return descendants(p.guard.Process.Pid, false)
	}
}
