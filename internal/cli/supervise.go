package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"vllmgo/bench"
	"vllmgo/bench/journal"
)

// workerVariable is set in the environment of a process that measures for another one, its supervisor.
const workerVariable = "VLLMGO_BENCH_WORKER"

// stopGrace is how long a worker may take to stop after a signal.
const stopGrace = time.Minute

// crash is the end of a process that measured, other than it should end.
type crash struct{ how string }

func (c crash) Error() string { return c.how }

// exitStatus is the status with which a process that measured ended, after it said why.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// supervise calls measure, which measures the points of one engine in a given environment, until the run in dir is at
// its end. A crash becomes a failure of what was under way, and the rest goes on. It returns other errors.
func supervise(ctx context.Context, dir string, measure func(env map[string]string) error) error {
	path := filepath.Join(dir, journal.FileName)
	var env map[string]string
	for {
		before := size(path)
		err := measure(env)
		if died, ok := errors.AsType[crash](err); ok && ctx.Err() == nil && size(path) > 0 {
			err = bench.RecordCrash(dir, died.Error())
			if err == nil && size(path) == before {
				err = died // it does nothing but crash
			}
		}
		if err != nil {
			return err
		}
		journal, err := journal.ReadFile(path)
		if err != nil || journal.Ended {
			return err
		}
		if env = bench.NextEnv(journal); size(path) == before {
			return fmt.Errorf("the run in %s makes no progress", dir)
		}
	}
}

// size is a file's size in bytes, 0 when there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// runWorker runs this program again, to measure the points of one engine into dir. Whatever happens to vLLM then
// happens to that process: it can crash, run out of memory, or be killed when it hangs. It ends when this
// process does.
func runWorker(ctx context.Context, args []string, dir string, env map[string]string, stderr io.Writer) error {
	// The kernel kills the worker when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Env = append(os.Environ(), workerVariable+"="+dir)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = stderr
	// Ctrl-C reaches this process alone, which passes it on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ctx.Done():
			signal := syscall.SIGTERM
			if i, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
				signal = i.signal
			}
			_ = cmd.Process.Signal(signal) // an error says that it has ended
			select {
			case <-time.After(stopGrace):
				_ = cmd.Process.Kill()
			case <-done:
			}
		case <-done:
		}
	}()
	return howItEnded(cmd.Wait())
}

// howItEnded tells a crash from a process that ended as it should. Go's and Python's own crashes are signals or
// statuses that no worker returns.
func howItEnded(err error) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	switch status := exit.Sys().(syscall.WaitStatus); {
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		return crash{"the process was killed, perhaps for want of memory"}
	case status.Signaled():
		return crash{"the process crashed: " + status.Signal().String()}
	case status.ExitStatus() == 1, status.ExitStatus() > 128:
		return exitStatus(status.ExitStatus())
	}
	return crash{fmt.Sprintf("the process crashed: %s", strings.TrimSpace(exit.Error()))}
}
