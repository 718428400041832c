package vllm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"vllmgo/bench"
	"vllmgo/bench/internal/engines"
	"vllmgo/bench/journal"
)

// ErrInUse means that the results directory holds another run.
var ErrInUse = errors.New("the folder holds the results of another run")

// Run measures studies on vLLM and writes the journal into s.Dir. It measures each engine in a
// process for itself; see the package's documentation.
//
// A point that fails is in the journal with its reason, and so is one whose process died. Run
// returns an error when it cannot begin or go on. When ctx ends, Run stops the process that
// measures and returns the cause; the journal has what was measured by then. The process gets
// SIGTERM, or the signal of a cause with the method Signal() os.Signal.
func Run(ctx context.Context, s Settings) error {
	if dir := os.Getenv(workerVariable); dir != "" {
		s.Dir = dir
		os.Exit(work(ctx, s))
	}
	if s.Dir == "" {
		return errors.New("bench: Settings.Dir is empty")
	}
	path := filepath.Join(s.Dir, journal.FileName)
	if _, err := os.Stat(path); err == nil && !s.Resume {
		return fmt.Errorf("%s: %w; choose another folder, or resume that run", s.Dir, ErrInUse)
	}
	setDefaultEnv("VLLM_LOGGING_LEVEL", "WARNING") // before Python starts
	s.Resume = true                                // what the first process began
	if s.OneProcess {
		return runHere(ctx, s, false)
	}
	return supervise(ctx, s.Dir, func(env map[string]string) error { return s.runWorker(ctx, env) })
}

// runHere measures in this process: the points of one engine, or all.
func runHere(ctx context.Context, s Settings, oneEngine bool) error {
	settings, cleanup, err := Prepare(ctx, s)
	defer cleanup()
	if err != nil {
		return err
	}
	settings.OneEngine = oneEngine
	return bench.Run(ctx, settings)
}

// supervise calls runEngine, which measures the points of one engine in a given environment, until
// the run in dir has ended. A crash is a failure of the work in progress, and the rest goes on.
// supervise returns other errors.
func supervise(ctx context.Context, dir string, runEngine func(env map[string]string) error) error {
	path := filepath.Join(dir, journal.FileName)
	var env map[string]string
	for {
		before := size(path)
		err := runEngine(env)
		if died, ok := errors.AsType[crash](err); ok && ctx.Err() == nil && size(path) > 0 {
			err = engines.RecordCrash(dir, died.Error())
			if err == nil && size(path) == before {
				err = died // it does nothing but crash
			}
		}
		if err != nil {
			return err
		}
		recorded, err := journal.ReadFile(path)
		if err != nil || recorded.Ended {
			return err
		}
		if env = engines.NextEnv(recorded); size(path) == before {
			return fmt.Errorf("the run in %s makes no progress", dir)
		}
	}
}

// setDefaultEnv sets an environment variable unless the user has.
func setDefaultEnv(name, value string) {
	if _, ok := os.LookupEnv(name); !ok {
		_ = os.Setenv(name, value) // the only error is a bad name
	}
}

// size returns the size of a file in bytes; 0 when there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
