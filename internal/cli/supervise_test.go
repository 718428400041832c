package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/internal/child"
)

// faultVariable tells a worker of these tests what to do in its n-th generation: "kill 5", "panic 3", "slow 7". The file
// that it names after that marks that it was done.
const faultVariable = "VLLMGO_TEST_FAULT"

// TestMain is also the worker: a run on fake engines, on which something may happen.
func TestMain(m *testing.M) {
	dir := os.Getenv(workerVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	lib := newFakeLibrary("cpu", "m")
	fault, after := os.Getenv(faultVariable), 0
	kind, number, _ := bytes.Cut([]byte(fault), []byte(" "))
	n, _ := strconv.Atoi(string(number))
	marker := filepath.Join(dir, "fault")
	lib.generate = func() {
		if after++; after != n || size(marker) > 0 {
			return
		}
		if err := os.WriteFile(marker, []byte("done"), 0o644); err != nil {
			panic(err)
		}
		switch string(kind) {
		case "kill":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "panic":
			panic("as Go does after a crash in C")
		case "slow":
			time.Sleep(time.Second)
		}
	}
	if len(os.Args) > 1 && os.Args[1] == "run" {
		v := vllmbench{args: os.Args, stdout: os.Stdout, stderr: os.Stderr, lib: lib.library, worker: dir}
		os.Exit(v.execute(withSignals(context.Background())))
	}
	os.Exit(work(withSignals(context.Background()), os.Args, dir, os.Stderr, lib.library, []string{bench.BatchSize, bench.RequestCount}))
}

// runProcesses is a run with a process for each engine, as Main makes it.
func runProcesses(ctx context.Context, t *testing.T, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	args = append([]string{os.Args[0], "-out", dir, "-model", "m", "-trials", "2"}, args...)
	var out, log bytes.Buffer
	status = run(ctx, args, &out, &log, func(dir string, env map[string]string) error { return runWorker(ctx, args, dir, env, &log) })
	return status, out.String(), log.String()
}

func TestProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	status, stdout, stderr := runProcesses(t.Context(), t, dir)
	require.Zero(t, status, stderr)
	journal := journalOf(t, dir)
	assert.Len(t, journal.Trials, 22)
	assert.Len(t, journal.Engines, 2)
	assert.Contains(t, stdout, "Request count")
	assert.Contains(t, stderr, "[1/22] ")
	assert.Contains(t, stderr, "[22/22] ")
}

// A crash in the 25th generation, which is a trial of the first engine, is a row with its reason.
func TestProcessCrashes(t *testing.T) {
	for fault, reason := range map[string]string{
		"kill 25":  "the process was killed, perhaps for want of memory",
		"panic 25": "the process crashed: exit status 2",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Setenv(faultVariable, fault)
			dir := filepath.Join(t.TempDir(), "results")
			status, stdout, stderr := runProcesses(t.Context(), t, dir)
			assert.Equal(t, 1, status)
			assert.Contains(t, stderr, "not every point was measured")
			assert.Contains(t, stdout, reason)
			journal := journalOf(t, dir)
			require.Len(t, journal.Failures, 1)
			assert.Equal(t, reason, journal.Failures[0].Reason)
			assert.Len(t, journal.Engines, 3, "a fresh one for the rest")
			assert.True(t, journal.Ended)
			for _, row := range bench.NewResults(journal).Studies[0].Rows {
				if row.ID() != *journal.Failures[0].Point {
					assert.Len(t, row.Trials, 2)
				}
			}
		})
	}
}

// A supervisor that is stopped while its worker generates stops it as well, and the run can go on later.
func TestProcessInterrupted(t *testing.T) {
	t.Setenv(faultVariable, "slow 25")
	dir := filepath.Join(t.TempDir(), "results")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for size(filepath.Join(dir, "fault")) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		cancel(interruption{syscall.SIGTERM})
	}()
	status, stdout, _ := runProcesses(ctx, t, dir)
	assert.Equal(t, 143, status)
	assert.Contains(t, stdout, "Batch size")
	before := len(journalOf(t, dir).Trials)
	assert.Positive(t, before)

	status, _, stderr := runProcesses(t.Context(), t, dir, "-resume")
	require.Zero(t, status, stderr)
	assert.Len(t, journalOf(t, dir).Trials, 22, "none repeated, none lost")
	assert.Empty(t, journalOf(t, dir).Failures)
}

func TestHowItEnded(t *testing.T) {
	for want, exit := range map[error]child.Exit{
		nil:             {},
		exitStatus(1):   {Code: 1},
		exitStatus(143): {Code: 143},
		crash{"the process crashed: exit status 2"}:                  {Code: 2},
		crash{"the process crashed: segmentation fault"}:             {Code: -1, Signal: syscall.SIGSEGV},
		crash{"the process was killed, perhaps for want of memory"}:  {Code: -1, Signal: syscall.SIGKILL},
		crash{"the process did not stop within 1m0s and was killed"}: {Code: -1, Signal: syscall.SIGKILL, Killed: true},
	} {
		assert.Equal(t, want, howItEnded(exit))
	}
}

func TestSuperviseGivesUp(t *testing.T) {
	dir := t.TempDir()
	calls := 0
	err := supervise(t.Context(), dir, func(map[string]string) error { calls++; return crash{"it crashed"} })
	assert.Equal(t, crash{"it crashed"}, err, "before the journal")
	require.Zero(t, runHere(t.Context(), []string{"all", "-out", dir, "-model", "m", "-trials", "1"}, io.Discard, io.Discard, newFakeLibrary("cpu", "m").library, []string{bench.BatchSize}))
	err = supervise(t.Context(), dir, func(map[string]string) error { calls++; return crash{"it crashed"} })
	assert.Equal(t, crash{"it crashed"}, err, "without doing anything")
	assert.Equal(t, 2, calls)
}
