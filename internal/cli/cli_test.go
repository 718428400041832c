package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

func TestFlags(t *testing.T) {
	o, err := parseFlags([]string{"all"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, options{model: "facebook/opt-125m", tensorParallelSize: 1, gpuMemoryUtilization: 0.90, dtype: "auto", mode: "auto", target: 0.02}, o)

	o, err = parseFlags([]string{"all", "-model", "m", "-tensor-parallel-size", "2", "-gpu-memory-utilization", "0.5",
		"-dtype", "float16", "-preset", "full", "-engine-mode", "own-process", "-out", "o", "-seed", "18446744073709551615", "-trials", "3",
		"-target", "0.1", "-budget", "1m", "-warmup", "notebook", "-cold"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, options{model: "m", tensorParallelSize: 2, gpuMemoryUtilization: 0.5, dtype: "float16", preset: "full",
		mode: "own-process", engineMode: vllmgo.OwnProcess, out: "o", seed: 1<<64 - 1, trials: 3,
		target: 0.1, budget: time.Minute, warmUp: journal.WarmUpNotebook, cold: true}, o)
}

func TestBadFlags(t *testing.T) {
	used := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(used, journal.FileName), nil, 0o644))
	for want, args := range map[string][]string{
		"-model is empty":                              {"-model", ""},
		"-tensor-parallel-size is 0":                   {"-tensor-parallel-size", "0"},
		"-gpu-memory-utilization is 0; it must be":     {"-gpu-memory-utilization", "0"},
		"-gpu-memory-utilization is 90; it must be":    {"-gpu-memory-utilization", "90"},
		"-gpu-memory-utilization is NaN; it must be":   {"-gpu-memory-utilization", "NaN"},
		`-dtype is "fp16"; it must be one of auto, ha`: {"-dtype", "fp16"},
		`-preset is "fast"; it must be one of notebo`:  {"-preset", "fast"},
		"-trials is -1; it must be at least 1":         {"-trials", "-1"},
		"-timeout is -1s; it must be above 0":          {"-timeout", "-1s"},
		"-resume needs -out":                           {"-resume"},
		"-target is 0; it must be above 0":             {"-target", "0"},
		"-budget is -1s; it must be above 0":           {"-budget", "-1s"},
		`-warmup is "cold"; it must be full or`:        {"-warmup", "cold"},
		`-engine-mode is "both"; it must be one of au`: {"-engine-mode", "both"},
		`unexpected argument "quick"`:                  {"quick"},
		"holds the results of another run":             {"-out", used},
		`invalid value "-1" for flag -seed`:            {"-seed", "-1"},
		"flag provided but not defined: -speed":        {"-speed"},
	} {
		var stderr bytes.Buffer
		// Nothing may be measured.
		status := run(t.Context(), append([]string{"all"}, args...), io.Discard, &stderr, nil)
		assert.Equal(t, 2, status, want)
		assert.Contains(t, stderr.String(), want)
	}
	assert.Equal(t, 0, run(t.Context(), []string{"all", "-h"}, io.Discard, io.Discard, nil))
}

func TestEmbeddedConfig(t *testing.T) {
	var config map[string]any
	require.NoError(t, json.Unmarshal(opt125mConfig, &config))
	assert.Equal(t, 50272.0, config["vocab_size"])
	assert.Equal(t, []any{"OPTForCausalLM"}, config["architectures"])
	assert.Equal(t, "float16", config["torch_dtype"])
}

// fakeTokenizer knows 100 tokens, the last of them special.
type fakeTokenizer struct{}

func (fakeTokenizer) Encode(context.Context, string) ([]int32, error) {
	return nil, errors.New("unused")
}
func (fakeTokenizer) Decode(context.Context, []int32) (string, error) {
	return "", errors.New("unused")
}
func (fakeTokenizer) VocabSize() int           { return 100 }
func (fakeTokenizer) SpecialTokenIDs() []int32 { return []int32{99} }

// fakeEngine does what it is asked, in no time.
type fakeEngine struct {
	args     vllmgo.EngineArgs
	generate func()
}

func (e fakeEngine) Generate(ctx context.Context, prompts []vllmgo.Prompt, params vllmgo.SamplingParams, _ ...vllmgo.CallOption) (*vllmgo.Generation, error) {
	e.generate()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	g := &vllmgo.Generation{Elapsed: time.Millisecond}
	for _, p := range prompts {
		outputLen := params.MaxTokens
		if p.Params != nil {
			outputLen = p.Params.MaxTokens
		}
		if p.TokenIDs == nil {
			p.TokenIDs, _ = letters{}.Encode(ctx, p.Text)
		}
		g.Outputs = append(g.Outputs, vllmgo.RequestOutput{
			PromptTokenIDs: p.TokenIDs,
			Outputs:        []vllmgo.CompletionOutput{{TokenIDs: make([]int32, outputLen), FinishReason: "length"}},
		})
	}
	return g, nil
}

func (e fakeEngine) Info() vllmgo.Info {
	return vllmgo.Info{MaxModelLen: 2048, MaxNumSeqs: e.args.MaxNumSeqs, BlockSize: 16, KVCacheTokens: 1 << 20}
}

func (e fakeEngine) Close() error { return nil }

// fakeLibrary is a machine with a device and a hub that has some models. opened collects the engines'
// settings.
type fakeLibrary struct {
	library
	opened   []vllmgo.EngineArgs
	generate func()
}

func newFakeLibrary(device string, models ...string) *fakeLibrary {
	l := &fakeLibrary{generate: func() {}}
	l.library = library{
		detectDevice: func(context.Context) (string, error) { return device, nil },
		findModel: func(_ context.Context, model string) error {
			if slices.Contains(models, model) {
				return nil
			}
			return vllmgo.ErrModelNotFound
		},
		loadConfig: func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error) {
			return vllmgo.ModelConfig{VocabSize: 200, SpecialTokenIDs: []int32{1}, MaxModelLen: 2048,
				NumLayers: 1, NumKVHeads: 1, HeadDim: 1, NumAttentionHeads: 12, DtypeBytes: 2,
				ModelType: "llama", HiddenSize: 10, IntermediateSize: 20}, nil
		},
		loadTokenizer: func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error) { return fakeTokenizer{}, nil },
		open: func(_ context.Context, args vllmgo.EngineArgs) (bench.Engine, error) {
			l.opened = append(l.opened, args)
			return fakeEngine{args, l.generate}, nil
		},
		limits: func(_ context.Context, device, dtype string) (journal.Limits, error) {
			return journal.Limits{Bandwidth: 1e9, FLOPS: 1e9}, nil
		},
		float16: func() bool { return false },
	}
	return l
}

// journalOf reads what a run of the program wrote.
func journalOf(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	journal, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
	require.NoError(t, err)
	return journal
}

// runHere is a run that measures in this process.
func runHere(ctx context.Context, args []string, stdout, stderr io.Writer, lib library, studies []string) int {
	return run(ctx, args, stdout, stderr, func(dir string, _ map[string]string) error {
		o, err := parseFlags(args, stderr)
		if err != nil && !strings.Contains(err.Error(), "results of another run") { // which this one is by now
			return err
		}
		return measure(ctx, o, args, dir, stderr, lib, studies, nil)
	})
}

func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	lib := newFakeLibrary("cpu", "facebook/opt-125m")
	var stdout, stderr bytes.Buffer
	args := []string{"batchsize", "-out", dir, "-seed", "3", "-engine-mode", "in-process"}
	require.Equal(t, 0, runHere(t.Context(), args, &stdout, &stderr, lib.library, []string{string(workload.BatchSize)}), stderr.String())

	recorded := journalOf(t, dir)
	assert.Equal(t, args, recorded.Header.Command)
	assert.Equal(t, "quick", recorded.Header.Preset, "the default on a CPU")
	assert.Equal(t, uint64(3), recorded.Header.Seed)
	assert.Equal(t, 98, recorded.Header.Vocabulary.Size(), "100 tokens that both know, without 1 and 99")
	assert.False(t, recorded.Header.RandomWeights)
	require.Len(t, recorded.Header.Studies, 1)
	assert.Equal(t, string(workload.BatchSize), recorded.Header.Studies[0].Name)
	assert.Len(t, recorded.Trials, 6*6, "fake times are all alike")
	assert.Equal(t, stat.UntilPrecise(0.02, 210*time.Second), recorded.Header.Stopping)

	require.Len(t, lib.opened, 1)
	assert.Equal(t, "facebook/opt-125m", lib.opened[0].Model)
	assert.Equal(t, "auto", lib.opened[0].Dtype)
	assert.Equal(t, 0.90, lib.opened[0].GPUMemoryUtilization)
	assert.Equal(t, vllmgo.InProcess, lib.opened[0].EngineMode)
	assert.True(t, lib.opened[0].EnforceEager)
	assert.Contains(t, stdout.String(), "Batch size")
	assert.NotContains(t, stdout.String(), "random weights")
	assert.Contains(t, stderr.String(), "results are in "+dir)
	report, err := os.ReadFile(filepath.Join(dir, "report.txt"))
	require.NoError(t, err)
	assert.Equal(t, stdout.String(), string(report))
}

func TestRunOnGPU(t *testing.T) {
	dir := t.TempDir()
	lib := newFakeLibrary("cuda", "some/model")
	args := []string{"all", "-out", dir, "-model", "some/model", "-tensor-parallel-size", "2"}
	require.Equal(t, 0, runHere(t.Context(), args, io.Discard, io.Discard, lib.library, []string{string(workload.BatchSize), string(workload.RequestCount)}))
	assert.Equal(t, "full", journalOf(t, dir).Header.Preset)
	assert.Equal(t, stat.UntilPrecise(0.02, 30*time.Minute), journalOf(t, dir).Header.Stopping)
	require.Len(t, lib.opened, 2)
	assert.False(t, lib.opened[0].EnforceEager)
	assert.Equal(t, 2, lib.opened[0].TensorParallelSize)
	assert.Zero(t, lib.opened[0].KVCacheMemoryBytes)
}

// The preset notebook measures as the notebook does, unless the flags say otherwise.
func TestPresetNotebook(t *testing.T) {
	for _, c := range []struct {
		flags    []string
		warmUp   journal.WarmUpMode
		stopping stat.Stopping
	}{
		{nil, journal.WarmUpNotebook, stat.FixedTrials(1)},
		{[]string{"-warmup", "full", "-trials", "2"}, journal.WarmUpFull, stat.FixedTrials(2)},
		{[]string{"-budget", "1h"}, journal.WarmUpNotebook, stat.UntilPrecise(0.02, time.Hour)},
	} {
		dir := t.TempDir()
		lib := newFakeLibrary("cpu", "m")
		args := append([]string{"all", "-out", dir, "-model", "m", "-preset", "notebook"}, c.flags...)
		require.Equal(t, 0, runHere(t.Context(), args, io.Discard, io.Discard, lib.library, []string{string(workload.BatchSize)}))
		header := journalOf(t, dir).Header
		assert.Equal(t, c.warmUp, header.WarmUp)
		assert.Equal(t, c.stopping, header.Stopping)
		assert.Equal(t, "notebook", header.Preset)
	}
}

func TestRandomWeights(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	lib := newFakeLibrary("cpu")
	var stdout, stderr bytes.Buffer
	var config []byte
	lib.generate = func() { config, _ = os.ReadFile(filepath.Join(lib.opened[0].Model, "config.json")) }
	require.Equal(t, 0, runHere(t.Context(), []string{"all", "-out", dir}, &stdout, &stderr, lib.library, []string{string(workload.BatchSize)}))
	assert.Equal(t, opt125mConfig, config)
	assert.Equal(t, "dummy", lib.opened[0].LoadFormat)
	assert.True(t, lib.opened[0].SkipTokenizerInit)
	assert.NoDirExists(t, lib.opened[0].Model, "removed at the end")
	recorded := journalOf(t, dir)
	assert.True(t, recorded.Header.RandomWeights)
	assert.Equal(t, "facebook/opt-125m", recorded.Header.Model)
	assert.Equal(t, 199, recorded.Header.Vocabulary.Size(), "the configuration's")
	assert.Contains(t, stdout.String(), "facebook/opt-125m, random weights")
	assert.Equal(t, &journal.Limits{Bandwidth: 1e9, FLOPS: 1e9}, recorded.Limits)
	assert.Equal(t, &journal.ModelSize{Layers: 2*10*13 + 3*10*20, Head: 10 * 200}, recorded.Header.ModelSize)
	assert.Contains(t, stderr.String(), "measuring its shape with random weights")

	lib.findModel = nil // nobody is asked for what is only a shape
	dir = t.TempDir()
	require.Equal(t, 0, runHere(t.Context(), []string{"all", "-out", dir, "-model", "llama-8b"}, &stdout, &stderr, lib.library, []string{string(workload.BatchSize)}))
	assert.Equal(t, "dummy", lib.opened[1].LoadFormat)
	assert.NoDirExists(t, lib.opened[1].Model)
	assert.Contains(t, stdout.String(), "llama-8b, random weights")

	lib = newFakeLibrary("cpu")
	stderr.Reset()
	assert.Equal(t, 1, runHere(t.Context(), []string{"all", "-out", t.TempDir(), "-model", "no/such"}, io.Discard, &stderr, lib.library, nil))
	assert.Contains(t, stderr.String(), "all: model not found")
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
		lib := newFakeLibrary(c.device, "m")
		lib.float16 = func() bool { return c.arithmetic }
		config, err := lib.loadConfig(t.Context(), vllmgo.EngineArgs{})
		require.NoError(t, err)
		config.Dtype = "float16"
		lib.loadConfig = func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error) { return config, nil }
		args := []string{"all", "-out", t.TempDir(), "-model", "m", "-dtype", c.flag}
		var stderr bytes.Buffer
		require.Equal(t, 0, runHere(t.Context(), args, io.Discard, &stderr, lib.library, []string{string(workload.BatchSize)}))
		assert.Equal(t, c.want, lib.opened[0].Dtype, "%+v", c)
		assert.Equal(t, c.want == "bfloat16", strings.Contains(stderr.String(), "dtype bfloat16 instead"), "said when done")
	}
}

func TestNoTokenizer(t *testing.T) {
	dir := t.TempDir()
	lib := newFakeLibrary("cpu", "m")
	lib.loadTokenizer = func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error) {
		return nil, errors.New("none here")
	}
	var stderr bytes.Buffer
	require.Equal(t, 0, runHere(t.Context(), []string{"all", "-out", dir, "-model", "m"}, io.Discard, &stderr, lib.library, []string{string(workload.BatchSize)}))
	assert.Contains(t, stderr.String(), "no tokenizer (none here)")
	assert.True(t, lib.opened[0].SkipTokenizerInit)
	assert.Equal(t, 199, journalOf(t, dir).Header.Vocabulary.Size())
}

// What the configuration refuses is an error before an engine is loaded, also when only a later point has it.
func TestRefusedTensorParallelSize(t *testing.T) {
	lib := newFakeLibrary("cpu", "m")
	config := lib.loadConfig
	lib.loadConfig = func(ctx context.Context, args vllmgo.EngineArgs) (vllmgo.ModelConfig, error) {
		if args.TensorParallelSize == 5 {
			return vllmgo.ModelConfig{}, errors.New("tensor_parallel_size 5 does not divide")
		}
		return config(ctx, args)
	}
	for _, args := range [][]string{{"--tensor-parallel-size", "5"}, {"--axis", "tensor_parallel_size=1,5"}, {"--set", "tensor_parallel_size=5"}} {
		status, _, stderr := runVllmbench(t, lib.library, append([]string{"run", "--model", "m", "--out", filepath.Join(t.TempDir(), "out")}, args...)...)
		assert.Equal(t, 1, status, args)
		assert.Contains(t, stderr, "tensor_parallel_size 5 does not divide")
	}
	assert.Empty(t, lib.opened)
}

func TestFailedPointsGiveStatus1(t *testing.T) {
	lib := newFakeLibrary("cpu", "m")
	lib.open = func(context.Context, vllmgo.EngineArgs) (bench.Engine, error) { return nil, errors.New("no room") }
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 1, runHere(t.Context(), []string{"all", "-out", t.TempDir(), "-model", "m"}, &stdout, &stderr, lib.library, []string{string(workload.BatchSize)}))
	assert.Contains(t, stdout.String(), "the engine did not open: no room")
	assert.Contains(t, stderr.String(), "not every point was measured")
}

func TestInterruption(t *testing.T) {
	for signal, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		ctx, cancel := context.WithCancelCause(t.Context())
		lib := newFakeLibrary("cpu", "m")
		passes := 0
		lib.generate = func() {
			if passes++; passes == 20 { // 18 of warm-up, a trial

				cancel(interruption{signal})
			}
		}
		dir := t.TempDir()
		var stdout, stderr bytes.Buffer
		assert.Equal(t, status, runHere(ctx, []string{"all", "-out", dir, "-model", "m"}, &stdout, &stderr, lib.library, []string{string(workload.BatchSize)}))
		require.Len(t, journalOf(t, dir).Trials, 1)
		assert.Contains(t, stdout.String(), "│ batch size 1  │")
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

func TestSetDefaultEnv(t *testing.T) {
	t.Setenv("VLLMGO_TEST_SET", "")
	setDefaultEnv("VLLMGO_TEST_SET", "x")
	assert.Equal(t, "", os.Getenv("VLLMGO_TEST_SET"), "set by the user")
	setDefaultEnv("VLLMGO_TEST_UNSET", "x")
	defer os.Unsetenv("VLLMGO_TEST_UNSET")
	assert.Equal(t, "x", os.Getenv("VLLMGO_TEST_UNSET"))
}
