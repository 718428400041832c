package vllm_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// faultVariable is the variable with what a process of these tests has to do in its n-th
// generation: "kill 5", "panic 3", "slow 7". The file fault in the results folder marks that it was
// done.
const faultVariable = "VLLMGO_TEST_FAULT"

// TestMain is also the process that measures one engine: a fake, on which something may happen.
func TestMain(m *testing.M) {
	if dir := os.Getenv(vllm.WorkerVariable); dir != "" {
		_ = vllm.Run(context.Background(), settings(dir, faultyLibrary(filepath.Join(dir, "fault"))))
	}
	os.Exit(m.Run())
}

// settings are a run of two sweeps.
func settings(dir string, lib *benchtest.Library) vllm.Settings {
	return vllm.Settings{
		Dir: dir, EngineArgs: vllmgo.EngineArgs{Model: "m"}, Sweeps: []workload.Sweep{workload.BatchSize, workload.RequestCount},
		Stopping: stat.FixedTrials(2), Library: lib.Library,
	}
}

// faultyLibrary is a library on whose engines the fault of the environment happens once.
func faultyLibrary(marker string) *benchtest.Library {
	lib := benchtest.NewLibrary("cpu", "m")
	kind, number, _ := strings.Cut(os.Getenv(faultVariable), " ")
	n, _ := strconv.Atoi(number)
	passes := 0
	lib.OnGenerate = func() {
		if passes++; passes != n || vllm.Size(marker) > 0 {
			return
		}
		if err := os.WriteFile(marker, []byte("done"), 0o644); err != nil {
			panic(err)
		}
		switch kind {
		case "kill":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "panic":
			panic("as Go does after a crash in C")
		case "slow":
			time.Sleep(time.Second)
		}
	}
	return lib
}

// runProcesses measures in processes that TestMain is, and returns what they printed.
func runProcesses(ctx context.Context, dir string, resume bool) (progress string, err error) {
	var log strings.Builder
	s := settings(dir, benchtest.NewLibrary("cpu", "m"))
	s.Progress, s.Resume = &log, resume
	err = vllm.Run(ctx, s)
	return log.String(), err
}

func journalOf(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
	require.NoError(t, err)
	return j
}

func TestProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	progress, err := runProcesses(t.Context(), dir, false)
	require.NoError(t, err, progress)
	j := journalOf(t, dir)
	assert.Len(t, j.Trials, 22)
	assert.Len(t, j.Engines, 2)
	assert.Contains(t, progress, " %] batch size ")
	assert.Contains(t, progress, "[100 %] done in ")
	assert.True(t, report.New(j).Complete())
	assert.NoFileExists(t, filepath.Join(dir, vllm.LogName), "nothing was written to it")

	_, err = runProcesses(t.Context(), dir, false)
	assert.ErrorIs(t, err, vllm.ErrInUse)
}

// A crash in the 25th generation, which is a trial of the first engine, is a row with its reason.
func TestProcessCrashes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for fault, reason := range map[string]string{
		"kill 25":  "the process was killed, perhaps for want of memory",
		"panic 25": "the process crashed: exit status 2",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Setenv(faultVariable, fault)
			dir := filepath.Join(t.TempDir(), "results")
			progress, err := runProcesses(t.Context(), dir, false)
			require.NoError(t, err, progress)
			j := journalOf(t, dir)
			require.Len(t, j.Failures, 1)
			first, log, _ := strings.Cut(j.Failures[0].Reason, "; the last lines of "+filepath.Join(dir, vllm.LogName)+":\n")
			assert.Equal(t, reason, first)
			assert.Equal(t, fault == "panic 25", log != "", "what Go writes about a panic: %q", log)
			assert.LessOrEqual(t, strings.Count(log, "\n"), 8)
			assert.NotContains(t, progress, "goroutine ", "the log is in its file")
			assert.Len(t, j.Engines, 3, "a fresh one for the rest")
			assert.True(t, j.Ended)
			assert.False(t, report.New(j).Complete())
			for _, row := range report.New(j).Studies[0].Rows {
				if row.ID() != *j.Failures[0].Point {
					assert.Len(t, row.Trials, 2)
				} else {
					assert.Contains(t, strings.Join(row.Notes, "\n"), reason)
				}
			}
		})
	}
}

// The reason that a process writes is the error of Run.
func TestProcessFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	_, err := runProcesses(t.Context(), dir, false)
	require.NoError(t, err)
	path, header := filepath.Join(dir, journal.FileName), journalOf(t, dir).Header
	header.Seed = 7
	require.NoError(t, os.Remove(path))
	w, err := journal.Create(path, header)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = runProcesses(t.Context(), dir, true)
	assert.ErrorContains(t, err, "its seed was 7 and is now 0")
}

// A supervisor that is stopped while its process generates stops it as well, and the run can go on
// later.
func TestProcessInterrupted(t *testing.T) {
	t.Setenv(faultVariable, "slow 25")
	dir := filepath.Join(t.TempDir(), "results")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for vllm.Size(filepath.Join(dir, "fault")) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		cancel(stopped{})
	}()
	_, err := runProcesses(ctx, dir, false)
	assert.ErrorIs(t, err, stopped{})
	before := len(journalOf(t, dir).Trials)
	assert.Positive(t, before)

	progress, err := runProcesses(t.Context(), dir, true)
	require.NoError(t, err, progress)
	assert.Len(t, journalOf(t, dir).Trials, 22, "none repeated, none lost")
	assert.Empty(t, journalOf(t, dir).Failures)
}

// stopped is the cause of a context that a signal ended.
type stopped struct{}

func (stopped) Error() string     { return "stopped" }
func (stopped) Signal() os.Signal { return syscall.SIGINT }

func TestSuperviseGivesUp(t *testing.T) {
	dir := t.TempDir()
	calls := 0
	crash := vllm.Crash("it crashed")
	err := vllm.Supervise(t.Context(), dir, func(map[string]string) error { calls++; return crash })
	assert.Equal(t, crash, err, "before the journal")
	s := settings(dir, benchtest.NewLibrary("cpu", "m"))
	s.OneProcess = true
	require.NoError(t, vllm.Run(t.Context(), s))
	err = vllm.Supervise(t.Context(), dir, func(map[string]string) error { calls++; return crash })
	assert.Equal(t, crash, err, "without doing anything")
	assert.Equal(t, 2, calls)
}

func TestSetDefaultEnv(t *testing.T) {
	t.Setenv("VLLMGO_TEST_SET", "")
	vllm.SetDefaultEnv("VLLMGO_TEST_SET", "x")
	assert.Equal(t, "", os.Getenv("VLLMGO_TEST_SET"), "set by the user")
	vllm.SetDefaultEnv("VLLMGO_TEST_UNSET", "x")
	t.Cleanup(func() { _ = os.Unsetenv("VLLMGO_TEST_UNSET") })
	assert.Equal(t, "x", os.Getenv("VLLMGO_TEST_UNSET"))
}
