package vllm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"vllmgo/internal/child"
)

const (
	// workerVariable is set in the environment of a process that measures for another, to the
	// results directory.
	workerVariable = "VLLMGO_BENCH_WORKER"
	// reasonFile is the file descriptor to which such a process writes why it failed, and
	// progressFile that of its progress. Its standard error is the log.
	reasonFile   = 3
	progressFile = 4
	// stopGrace is how long a process may take to stop after a signal.
	stopGrace = time.Minute
)

// crash is the end of a process that measured and neither succeeded nor said why it failed.
type crash struct{ how string }

func (c crash) Error() string { return c.how }

// runWorker starts this program again to measure the points of one engine, with more variables in
// its environment.
func (s Settings) runWorker(ctx context.Context, env map[string]string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	reasons, reason, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reasons.Close()
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), workerVariable+"="+s.Dir)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	log, err := openLog(s.Dir)
	if err != nil {
		return err
	}
	defer log.close()
	progress, done, err := asFile(s.Progress)
	if err != nil {
		return err
	}
	defer done()
	cmd.Stderr, cmd.ExtraFiles = log.File, []*os.File{reason, progress}
	p, err := child.Start(cmd)
	reason.Close() // the process has its own
	if err != nil {
		return err
	}
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(reasons) // which ends with the process
		said <- string(text)
	}()
	select {
	case <-p.Done():
		err := howItEnded(p.Wait(), <-said)
		if died, ok := errors.AsType[crash](err); ok {
			return crash{died.how + log.tail()}
		}
		return err
	case <-ctx.Done():
		p.End(stopGrace, stopSignal(ctx))
		return context.Cause(ctx)
	}
}

// stopSignal returns the signal that ended ctx, or SIGTERM.
func stopSignal(ctx context.Context) syscall.Signal {
	var signaled interface{ Signal() os.Signal }
	if errors.As(context.Cause(ctx), &signaled) {
		if s, ok := signaled.Signal().(syscall.Signal); ok {
			return s
		}
	}
	return syscall.SIGTERM
}

// howItEnded returns the error with which a process ended: what it said, or a crash.
func howItEnded(exit child.Exit, said string) error {
	switch {
	case said != "":
		return errors.New(strings.TrimSpace(said))
	case exit.Code == 0:
		return nil
	case exit.Signal == syscall.SIGKILL:
		return crash{"the process was killed, perhaps for want of memory"}
	case exit.Signal != 0:
		return crash{"the process crashed: " + exit.Signal.String()}
	}
	return crash{"the process crashed: " + exit.String()}
}

// work measures the points of one engine for another process and returns the exit status.
func work(ctx context.Context, s Settings) int {
	syscall.CloseOnExec(reasonFile)
	syscall.CloseOnExec(progressFile)
	s.Progress, s.Resume = os.NewFile(progressFile, "progress"), true
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, restore) // so that a second signal ends the process at once
	err := runHere(ctx, s, true)
	if err == nil {
		return 0
	}
	fmt.Fprint(os.NewFile(reasonFile, "reason"), err)
	return 1
}
