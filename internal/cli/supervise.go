package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"vllmgo/bench"
	"vllmgo/internal/child"
)

// workerVariable is set in the environment of a process that measures for a supervisor, to the results directory.
const workerVariable = "VLLMGO_BENCH_WORKER"

// stopGrace is how long a worker may take to stop after a signal.
const stopGrace = time.Minute

// crash says how a process that measured ended, if not as it should.
type crash struct{ how string }

func (c crash) Error() string { return c.how }

// exitStatus is the exit status of a process that measured and printed why it failed.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// supervise calls measure, which measures the points of one engine in a given environment, until the run in dir has
// ended. It records a crash as the failure of the work in progress and goes on with the rest. It returns other errors.
func supervise(ctx context.Context, dir string, measure func(env map[string]string) error) error {
	path := filepath.Join(dir, bench.JournalName)
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
		journal, err := bench.ReadJournalFile(path)
		if err != nil || journal.Ended {
			return err
		}
		if env = journal.NextEnv(); size(path) == before {
			return fmt.Errorf("the run in %s makes no progress", dir)
		}
	}
}

// size returns a file's size in bytes, or 0 if there is no such file.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// runWorker runs this program again, to measure the points of one engine into dir. Whatever vLLM does then happens to
// that process: it can crash, run out of memory, or be killed when it hangs. It ends when this process does.
func runWorker(ctx context.Context, args []string, dir string, env map[string]string, stderr io.Writer) error {
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
	worker, err := child.Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-worker.Done():
		return howItEnded(worker.Wait())
	case <-ctx.Done(): // Ctrl-C reaches this process alone, which passes it on
		s := syscall.SIGTERM
		if i, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
			s = i.signal
		}
		return howItEnded(worker.End(stopGrace, s))
	}
}

// howItEnded tells a crash from a process that ended as it should. Go's and Python's own crashes are signals or
// statuses that no worker returns.
func howItEnded(exit child.Exit) error {
	switch {
	case exit.Killed:
		return crash{fmt.Sprintf("the process did not stop within %v and was killed", stopGrace)}
	case exit.Signal == syscall.SIGKILL:
		return crash{"the process was killed, perhaps for want of memory"}
	case exit.Signal != 0:
		return crash{"the process crashed: " + exit.Signal.String()}
	case exit.Code == 0:
		return nil
	case exit.Code == 1, exit.Code > 128:
		return exitStatus(exit.Code)
	}
	return crash{"the process crashed: " + exit.String()}
}
