package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// argsVariable has the command line of a process that these tests start to measure one engine.
const argsVariable = "VLLMGO_TEST_ARGS"

// TestMain is also such a process.
func TestMain(m *testing.M) {
	var args []string
	if text := os.Getenv(argsVariable); text != "" && json.Unmarshal([]byte(text), &args) == nil && os.Getenv("VLLMGO_BENCH_WORKER") != "" {
		v := vllmbench{args: args, stdout: os.Stdout, stderr: os.Stderr, library: benchtest.NewLibrary("cpu", "m").Library}
		os.Exit(v.execute(context.Background()))
	}
	os.Exit(m.Run())
}

// runVllmbench runs a command line, and measures in this process.
func runVllmbench(t *testing.T, lib *benchtest.Library, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return runContext(t.Context(), lib, args...)
}

// runContext is runVllmbench with a context.
func runContext(ctx context.Context, lib *benchtest.Library, args ...string) (status int, stdout, stderr string) {
	var out, log bytes.Buffer
	v := vllmbench{args: append([]string{"vllmbench"}, args...), stdout: &out, stderr: &log, library: lib.Library, oneProcess: true}
	status = v.execute(ctx)
	return status, out.String(), log.String()
}

// journalOf reads what a run of the program wrote.
func journalOf(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
	require.NoError(t, err)
	return j
}

// runHere runs the command run with the flags in args, after a first word, for some sweeps.
func runHere(ctx context.Context, args []string, stdout, stderr io.Writer, lib *benchtest.Library, sweeps []string) int {
	args = append([]string{"run"}, args[1:]...)
	for _, sweep := range sweeps {
		args = append(args, "--sweep", sweep)
	}
	status, out, log := runContext(ctx, lib, args...)
	_, _ = io.WriteString(stdout, out)
	_, _ = io.WriteString(stderr, log)
	return status
}

// parse parses flags of the command run.
func parse(t *testing.T, args ...string) options {
	t.Helper()
	var o options
	f := pflag.NewFlagSet("run", pflag.ContinueOnError)
	o.addFlags(f)
	o.addPresetFlag(f)
	o.addTrialFlags(f)
	require.NoError(t, f.Parse(args))
	return o
}

func TestFlags(t *testing.T) {
	assert.Equal(t, options{model: "facebook/opt-125m", tensorParallelSize: 1, dataParallelSize: 1, gpuMemoryUtilization: 0.90, dtype: "auto", engineMode: "auto", target: 0.02}, parse(t))

	o := parse(t, "--model", "m", "--tensor-parallel-size", "2", "--data-parallel-size", "3", "--gpu-memory-utilization", "0.5",
		"--dtype", "float16", "--preset", "full", "--engine-mode", "own-process", "--out", "o", "--seed", "18446744073709551615", "--trials", "3",
		"--target", "0.1", "--budget", "1m", "--warmup", "notebook", "--cold")
	assert.Equal(t, options{model: "m", tensorParallelSize: 2, dataParallelSize: 3, gpuMemoryUtilization: 0.5, dtype: "float16", preset: "full",
		engineMode: "own-process", out: "o", seed: 1<<64 - 1, trials: 3,
		target: 0.1, budget: time.Minute, warmUp: "notebook", cold: true}, o)
	s := o.settings()
	assert.Equal(t, vllmgo.EngineArgs{Model: "m", TensorParallelSize: 2, DataParallelSize: 3, GPUMemoryUtilization: 0.5, Dtype: "float16", EngineMode: vllmgo.OwnProcess}, s.EngineArgs)
	assert.Equal(t, stat.FixedTrials(3), s.Stopping)
	assert.Empty(t, new(parse(t)).settings().EngineArgs.EngineMode)
}

func TestBadFlags(t *testing.T) {
	used := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(used, journal.FileName), nil, 0o644))
	for want, args := range map[string][]string{
		"--model is empty":                                 {"--model", ""},
		"--tensor-parallel-size is 0":                      {"--tensor-parallel-size", "0"},
		"--data-parallel-size is 0":                        {"--data-parallel-size", "0"},
		"--gpu-memory-utilization is 0; it must be":        {"--gpu-memory-utilization", "0"},
		"--gpu-memory-utilization is 90; it must be":       {"--gpu-memory-utilization", "90"},
		"--gpu-memory-utilization is NaN; it must be":      {"--gpu-memory-utilization", "NaN"},
		`--dtype is "fp16"; it must be one of auto, ha`:    {"--dtype", "fp16"},
		`--preset is "fast"; it must be one of notebo`:     {"--preset", "fast"},
		"--trials is -1; it must be above 0":               {"--trials", "-1"},
		"--timeout is -1s; it must be above 0":             {"--timeout", "-1s"},
		"--resume needs --out":                             {"--resume"},
		"--target is 0; it must be above 0":                {"--target", "0"},
		"--budget is -1s; it must be above 0":              {"--budget", "-1s"},
		`--warmup is "cold"; it must be full or`:           {"--warmup", "cold"},
		`--engine-mode is "both"; it must be one of au`:    {"--engine-mode", "both"},
		`unknown command "quick"`:                          {"quick"},
		"holds the results of another run":                 {"--out", used},
		`--seed is "-1"; it must be a whole number from 0`: {"--seed", "-1"},
		"there is no flag --speed; did you mean --seed?":   {"--speed"},
	} {
		lib := benchtest.NewLibrary("cpu", "m")
		status, _, stderr := runVllmbench(t, lib, append([]string{"run"}, args...)...)
		assert.Equal(t, 2, status, want)
		assert.Contains(t, stderr, want)
		assert.Empty(t, lib.Opened)
	}
	status, stdout, _ := runVllmbench(t, benchtest.NewLibrary("cpu"), "run", "-h")
	assert.Equal(t, 0, status)
	assert.Contains(t, stdout, "--budget")
}

func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	lib := benchtest.NewLibrary("cpu", "facebook/opt-125m")
	var stdout, stderr bytes.Buffer
	args := []string{"batchsize", "--out", dir, "--seed", "3", "--engine-mode", "in-process"}
	require.Equal(t, 0, runHere(t.Context(), args, &stdout, &stderr, lib, []string{string(workload.BatchSize)}), stderr.String())

	recorded := journalOf(t, dir)
	assert.Equal(t, []string{"vllmbench", "run", "--out", dir, "--seed", "3", "--engine-mode", "in-process", "--sweep", "batch-size"}, recorded.Header.Command)
	assert.Equal(t, "quick", recorded.Header.Preset, "the default on a CPU")
	assert.Equal(t, uint64(3), recorded.Header.Seed)
	assert.Equal(t, 98, recorded.Header.Vocabulary.Size(), "100 tokens that both know, without 1 and 99")
	assert.False(t, recorded.Header.RandomWeights)
	require.Len(t, recorded.Header.Studies, 1)
	assert.Equal(t, string(workload.BatchSize), recorded.Header.Studies[0].Name)
	assert.Len(t, recorded.Trials, 8*6, "fake times are all alike")
	assert.Equal(t, stat.UntilPrecise(0.02, 210*time.Second), recorded.Header.Stopping)

	require.Len(t, lib.Opened, 1)
	assert.Equal(t, "facebook/opt-125m", lib.Opened[0].Model)
	assert.Equal(t, "auto", lib.Opened[0].Dtype)
	assert.Equal(t, 0.90, lib.Opened[0].GPUMemoryUtilization)
	assert.Equal(t, vllmgo.InProcess, lib.Opened[0].EngineMode)
	assert.True(t, lib.Opened[0].EnforceEager)
	assert.Contains(t, stdout.String(), "Batch size")
	assert.NotContains(t, stdout.String(), "random weights")
	assert.NotContains(t, stderr.String(), "checksum")
	report, err := os.ReadFile(filepath.Join(dir, "report.txt"))
	require.NoError(t, err)
	assert.NotEqual(t, stdout.String(), string(report), "the report in short")
	assert.True(t, strings.HasSuffix(stdout.String(), "\nDetails: "+filepath.Join(dir, "report.txt")+"\n"))

	status, whole, _ := runVllmbench(t, lib, "replay", "--report", "--verbose", dir)
	assert.Zero(t, status)
	assert.Equal(t, string(report), whole)
}

func TestRunOnGPU(t *testing.T) {
	dir := t.TempDir()
	lib := benchtest.NewLibrary("cuda", "some/model")
	args := []string{"all", "--out", dir, "--model", "some/model", "--tensor-parallel-size", "2"}
	require.Equal(t, 0, runHere(t.Context(), args, io.Discard, io.Discard, lib, []string{string(workload.BatchSize), string(workload.RequestCount)}))
	assert.Equal(t, "full", journalOf(t, dir).Header.Preset)
	assert.Equal(t, stat.UntilPrecise(0.02, 30*time.Minute), journalOf(t, dir).Header.Stopping)
	require.Len(t, lib.Opened, 2)
	assert.False(t, lib.Opened[0].EnforceEager)
	assert.Equal(t, 2, lib.Opened[0].TensorParallelSize)
	assert.Zero(t, lib.Opened[0].KVCacheMemoryBytes)
}

// The preset notebook measures as the notebook does, unless the flags say otherwise.
func TestPresetNotebook(t *testing.T) {
	for _, c := range []struct {
		flags    []string
		warmUp   journal.WarmUpMode
		stopping stat.Stopping
	}{
		{nil, journal.WarmUpNotebook, stat.FixedTrials(1)},
		{[]string{"--warmup", "full", "--trials", "2"}, journal.WarmUpFull, stat.FixedTrials(2)},
		{[]string{"--budget", "1h"}, journal.WarmUpNotebook, stat.UntilPrecise(0.02, time.Hour)},
	} {
		dir := t.TempDir()
		lib := benchtest.NewLibrary("cpu", "m")
		args := append([]string{"all", "--out", dir, "--model", "m", "--preset", "notebook"}, c.flags...)
		require.Equal(t, 0, runHere(t.Context(), args, io.Discard, io.Discard, lib, []string{string(workload.BatchSize)}))
		header := journalOf(t, dir).Header
		assert.Equal(t, c.warmUp, header.WarmUp)
		assert.Equal(t, c.stopping, header.Stopping)
		assert.Equal(t, "notebook", header.Preset)
	}
}

func TestRandomWeights(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	lib := benchtest.NewLibrary("cpu")
	var stdout, stderr bytes.Buffer
	var config []byte
	lib.OnGenerate = func() { config, _ = os.ReadFile(filepath.Join(lib.Opened[0].Model, "config.json")) }
	require.Equal(t, 0, runHere(t.Context(), []string{"all", "--out", dir}, &stdout, &stderr, lib, []string{string(workload.BatchSize)}))
	embedded, err := os.ReadFile("../../../../bench/vllm/opt-125m.json")
	require.NoError(t, err)
	assert.Equal(t, string(embedded), string(config))
	assert.Equal(t, "dummy", lib.Opened[0].LoadFormat)
	assert.True(t, lib.Opened[0].SkipTokenizerInit)
	assert.DirExists(t, lib.Opened[0].Model, "vLLM finds what it compiled by the path")
	recorded := journalOf(t, dir)
	assert.True(t, recorded.Header.RandomWeights)
	assert.Equal(t, "facebook/opt-125m", recorded.Header.Model)
	assert.Equal(t, 199, recorded.Header.Vocabulary.Size(), "the configuration's")
	assert.Contains(t, stdout.String(), "facebook/opt-125m, random weights")
	assert.Equal(t, &journal.Limits{Bandwidth: 1e9, FLOPS: 1e9}, recorded.Limits)
	assert.Equal(t, &journal.ModelSize{Layers: 2*10*13 + 3*10*20, Head: 10 * 200}, recorded.Header.ModelSize)
	assert.Contains(t, stderr.String(), "measuring its shape with random weights")

	require.Equal(t, 0, runHere(t.Context(), []string{"all", "--out", t.TempDir()}, io.Discard, io.Discard, lib, []string{string(workload.BatchSize)}))
	assert.Equal(t, lib.Opened[0].Model, lib.Opened[1].Model)

	lib.FindModel = nil                      // nobody is asked for what is only a shape
	t.Setenv("XDG_CACHE_HOME", "/proc/none") // where nothing can be written
	dir = t.TempDir()
	require.Equal(t, 0, runHere(t.Context(), []string{"all", "--out", dir, "--model", "llama-8b"}, &stdout, &stderr, lib, []string{string(workload.BatchSize)}))
	assert.Equal(t, "dummy", lib.Opened[2].LoadFormat)
	assert.NoDirExists(t, lib.Opened[2].Model, "removed at the end")
	assert.Contains(t, stdout.String(), "llama-8b, random weights")

	lib = benchtest.NewLibrary("cpu")
	stderr.Reset()
	assert.Equal(t, 1, runHere(t.Context(), []string{"all", "--out", t.TempDir(), "--model", "no/such"}, io.Discard, &stderr, lib, nil))
	assert.Contains(t, stderr.String(), "vllmbench: model not found")
}

func TestFloat16OnACPU(t *testing.T) {
	for _, c := range []struct {
		device, flag string
		arithmetic   bool
		want         string
	}{
		{"cpu", "auto", false, "bfloat16"},
		{"cpu", "auto", true, "auto"},
		{"cpu", "float16", false, "float16"},
		{"cuda", "auto", false, "auto"},
	} {
		lib := benchtest.NewLibrary(c.device, "m")
		lib.HasFloat16 = func() bool { return c.arithmetic }
		config, err := lib.LoadConfig(t.Context(), vllmgo.EngineArgs{})
		require.NoError(t, err)
		config.Dtype = "float16"
		lib.LoadConfig = func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error) { return config, nil }
		args := []string{"all", "--out", t.TempDir(), "--model", "m", "--dtype", c.flag}
		var stderr bytes.Buffer
		require.Equal(t, 0, runHere(t.Context(), args, io.Discard, &stderr, lib, []string{string(workload.BatchSize)}))
		assert.Equal(t, c.want, lib.Opened[0].Dtype, "%+v", c)
		assert.Equal(t, c.want == "bfloat16", strings.Contains(stderr.String(), "dtype bfloat16 instead"), "said when done")
	}
}

func TestNoTokenizer(t *testing.T) {
	dir := t.TempDir()
	lib := benchtest.NewLibrary("cpu", "m")
	lib.LoadTokenizer = func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error) {
		return nil, errors.New("none here")
	}
	var stderr bytes.Buffer
	require.Equal(t, 0, runHere(t.Context(), []string{"all", "--out", dir, "--model", "m"}, io.Discard, &stderr, lib, []string{string(workload.BatchSize)}))
	assert.Contains(t, stderr.String(), "no tokenizer (none here)")
	assert.True(t, lib.Opened[0].SkipTokenizerInit)
	assert.Equal(t, 199, journalOf(t, dir).Header.Vocabulary.Size())
}

// What the configuration refuses is an error before an engine is loaded, also when only a later
// point has it.
func TestRefusedTensorParallelSize(t *testing.T) {
	lib := benchtest.NewLibrary("cpu", "m")
	config := lib.LoadConfig
	lib.LoadConfig = func(ctx context.Context, args vllmgo.EngineArgs) (vllmgo.ModelConfig, error) {
		if args.TensorParallelSize == 5 {
			return vllmgo.ModelConfig{}, errors.New("tensor_parallel_size 5 does not divide")
		}
		return config(ctx, args)
	}
	for _, args := range [][]string{{"--tensor-parallel-size", "5"}, {"--axis", "tensor_parallel_size=1,5"}, {"--set", "tensor_parallel_size=5"}} {
		status, _, stderr := runVllmbench(t, lib, append([]string{"run", "--model", "m", "--out", filepath.Join(t.TempDir(), "out")}, args...)...)
		assert.Equal(t, 1, status, args)
		assert.Contains(t, stderr, "tensor_parallel_size 5 does not divide")
	}
	assert.Empty(t, lib.Opened)
}

func TestFailedPointsGiveStatus1(t *testing.T) {
	lib := benchtest.NewLibrary("cpu", "m")
	lib.Open = func(context.Context, vllmgo.EngineArgs) (bench.Engine, error) { return nil, errors.New("no room") }
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 1, runHere(t.Context(), []string{"all", "--out", t.TempDir(), "--model", "m"}, &stdout, &stderr, lib, []string{string(workload.BatchSize)}))
	assert.Contains(t, stdout.String(), "the engine did not open: no room")
	assert.Contains(t, stderr.String(), "not every point was measured")
}

func TestInterruption(t *testing.T) {
	for signal, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		ctx, cancel := context.WithCancelCause(t.Context())
		lib := benchtest.NewLibrary("cpu", "m")
		passes := 0
		lib.OnGenerate = func() {
			if passes++; passes == 20 { // 18 of warm-up, a trial

				cancel(interruption{signal})
			}
		}
		dir := t.TempDir()
		var stdout, stderr bytes.Buffer
		assert.Equal(t, status, runHere(ctx, []string{"all", "--out", dir, "--model", "m"}, &stdout, &stderr, lib, []string{string(workload.BatchSize)}))
		require.Len(t, journalOf(t, dir).Trials, 1)
		assert.Contains(t, stdout.String(), "│ 1          │")
		assert.Contains(t, stdout.String(), "(not measured)")
		assert.Contains(t, stderr.String(), "stopped by signal: "+signal.String())
	}
}

func TestSignals(t *testing.T) {
	ctx := withSignals(t.Context())
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	<-ctx.Done()
	assert.Equal(t, interruption{syscall.SIGTERM}, context.Cause(ctx))
}
