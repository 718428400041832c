// Package cli is what the benchmark programs under examples share: flags, the choice of model, signals, and
// where the output goes. Tables go to stdout, everything else to stderr.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Main measures the named studies with the settings of the command line, prints tables and report, and ends
// the process: with status 0 when every point was measured, 1 when something failed, 2 for a bad flag, 130
// after SIGINT (Ctrl-C) and 143 after SIGTERM. After a signal it prints what was measured by then.
//
// It measures in a process of its own for each engine, so that a crash ends no more than a point.
func Main(studies ...string) {
	setDefaultEnv("VLLM_LOGGING_LEVEL", "WARNING")
	ctx := withSignals(context.Background())
	if dir := os.Getenv(workerVariable); dir != "" {
		os.Exit(work(ctx, os.Args, dir, os.Stderr, vllm(), studies))
	}
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr, func(dir string, env map[string]string) error {
		return runWorker(ctx, os.Args, dir, env, os.Stderr)
	}))
}

// setDefaultEnv sets an environment variable unless the user has. It must run before Python starts.
func setDefaultEnv(name, value string) {
	if _, ok := os.LookupEnv(name); !ok {
		os.Setenv(name, value)
	}
}

// interruption is the cause of a context that a signal cancelled.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string { return "stopped by signal: " + i.signal.String() }

// withSignals is a context that SIGINT or SIGTERM cancels, with an interruption as cause. A second signal
// ends the process at once.
func withSignals(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals)
		cancel(interruption{s.(syscall.Signal)})
	}()
	return ctx
}

// library is the part of vllmgo that the programs use.
type library struct {
	detectDevice  func(context.Context) (string, error)
	findModel     func(ctx context.Context, model string) error
	loadConfig    func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error)
	loadTokenizer func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error)
	resolveMode   func(context.Context, vllmgo.EngineMode) (vllmgo.EngineMode, error)
	open          bench.OpenFunc
	limits        func(ctx context.Context, device, dtype string) (journal.Limits, error)
	// float16 says whether the processor has float16 arithmetic.
	float16 func() bool
}

// vllm is the real library.
func vllm() library {
	return library{
		detectDevice: vllmgo.DetectDevice,
		findModel:    vllmgo.FindModel,
		loadConfig:   vllmgo.LoadModelConfig,
		loadTokenizer: func(ctx context.Context, args vllmgo.EngineArgs) (workload.Tokenizer, error) {
			return vllmgo.LoadTokenizer(ctx, args)
		},
		resolveMode: vllmgo.ResolveEngineMode,
		open: func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) {
			llm, err := vllmgo.New(ctx, args)
			if err != nil {
				return nil, err
			}
			return engine{llm}, nil
		},
		limits:  measureLimits,
		float16: hasFloat16,
	}
}

// run is Main without the process: it returns the exit status. measure measures the points of one engine into a
// results directory, in a given environment.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, measure func(dir string, env map[string]string) error) int {
	o, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", filepath.Base(args[0]), err)
		return 2
	}
	return runOptions(ctx, o, args, stdout, stderr, measure)
}

// runOptions is run after the command line.
func runOptions(ctx context.Context, o options, args []string, stdout, stderr io.Writer, measure func(dir string, env map[string]string) error) int {
	dir := o.out
	if dir == "" {
		dir = filepath.Join("results", time.Now().Format("20060102T150405"))
	}
	err := supervise(ctx, dir, func(env map[string]string) error { return measure(dir, env) })
	if reportErr := writeReport(dir, stdout, stderr); !errors.Is(reportErr, fs.ErrNotExist) { // nothing began
		err = errors.Join(err, reportErr)
	}
	return status(ctx, args, stderr, err)
}

// work measures the points of one engine into a results directory and returns the exit status.
func work(ctx context.Context, args []string, dir string, stderr io.Writer, lib library, studies []string) int {
	o, err := parseFlags(args, stderr)
	if err == nil {
		err = measure(ctx, o, args, dir, stderr, lib, studies, nil)
	}
	return status(ctx, args, stderr, err)
}

// status is the exit status for an error, which it prints.
func status(ctx context.Context, args []string, stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	worker, ended := errors.AsType[exitStatus](err)
	if !ended { // else the worker said why
		fmt.Fprintf(stderr, "%s: %v\n", filepath.Base(args[0]), err)
	}
	if interrupted, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return 128 + int(interrupted.signal)
	}
	if ended {
		return int(worker)
	}
	return 1
}

// measure measures the points of one engine: those of the named studies of a preset, of the user's own study or, with
// a journal, of that run again.
func measure(ctx context.Context, o options, command []string, dir string, stderr io.Writer, lib library, studies []string, past *journal.Journal) error {
	settings, cleanup, err := prepare(ctx, o, stderr, lib, studies, past)
	if err != nil {
		return err
	}
	defer cleanup()
	settings.Command = command
	settings.Dir, settings.Resume, settings.OneEngine = dir, true, true
	return bench.Run(ctx, settings)
}

// prepare turns options into the settings of a run. cleanup removes what they need on disk.
func prepare(ctx context.Context, o options, stderr io.Writer, lib library, studies []string, past *journal.Journal) (s bench.Settings, cleanup func(), err error) {
	device, err := lib.detectDevice(ctx)
	if err != nil {
		return s, nil, err
	}
	switch {
	case past != nil:
		o.preset = past.Header.Preset
	case o.custom():
		o.preset = "none"
	case o.preset == "" && device == "cpu":
		o.preset = "quick"
	case o.preset == "":
		o.preset = "full"
	}
	if o.preset == "notebook" && past == nil { // as the notebook measures, unless the flags say otherwise
		o.warmUp = cmp.Or(o.warmUp, journal.WarmUpNotebook)
		if o.trials == 0 && o.budget == 0 {
			o.trials = 1
		}
	}
	stopping := stat.UntilPrecise(o.target, o.budget)
	switch {
	case o.trials > 0:
		stopping = stat.FixedTrials(o.trials)
	case o.budget == 0 && o.preset == "quick":
		stopping.Budget = 3*time.Minute + 30*time.Second
	case o.budget == 0:
		stopping.Budget = 30 * time.Minute
	}
	s = bench.Settings{
		Open:      lib.open,
		Device:    device,
		Requests:  workload.Requests{Seed: o.seed, TokenizerName: o.model},
		Stopping:  stopping,
		WarmUp:    o.warmUp,
		Cold:      o.cold,
		Timeout:   o.timeout,
		Latency:   o.latency,
		Goodput:   o.goodput,
		ModelName: o.model,
		Preset:    o.preset,
		Progress:  stderr,
	}

	m, err := chooseModel(ctx, o.model, stderr, lib)
	if err != nil {
		return s, nil, err
	}
	defer func() {
		if err != nil {
			m.cleanup()
		}
	}()
	s.RandomWeights = m.randomWeights
	s.EngineArgs = m.args
	s.EngineArgs.Dtype = o.dtype
	s.EngineArgs.TensorParallelSize = o.tensorParallelSize
	s.EngineArgs.GPUMemoryUtilization = o.gpuMemoryUtilization
	s.EngineArgs.EngineMode = o.engineMode
	// On a CPU, torch.compile costs a minute for each engine and gains nothing.
	s.EngineArgs.EnforceEager = device == "cpu"

	s.ModelConfig, err = lib.loadConfig(ctx, s.EngineArgs)
	if err != nil {
		return s, nil, err
	}
	if o.dtype == "auto" && device == "cpu" && s.ModelConfig.Dtype == "float16" && !lib.float16() {
		fmt.Fprintln(stderr, "dtype bfloat16 instead of the model's float16, for which this processor has no arithmetic "+
			"(-dtype float16 insists on it)")
		s.EngineArgs.Dtype, s.ModelConfig.Dtype = "bfloat16", "bfloat16"
	}
	s.ModelSize = modelSize(s.ModelConfig)
	s.Limits = func(ctx context.Context) (journal.Limits, error) {
		return lib.limits(ctx, device, s.ModelConfig.Dtype)
	}
	vocabulary, tokenizer, err := chooseVocabulary(ctx, &s.EngineArgs, s.ModelConfig, stderr, lib)
	if err != nil {
		return s, nil, err
	}
	s.Requests.Vocabulary = vocabulary
	if o.text {
		if tokenizer == nil {
			return s, nil, fmt.Errorf("prompts as text need a tokenizer, and %s has none here", o.model)
		}
		s.Requests.Tokenizer = tokenizer
	}
	if past == nil {
		if s.Studies, err = o.studies(ctx, studies, tokenizer); err == nil {
			err = checkEngines(ctx, s, lib)
		}
		return s, m.cleanup, err
	}
	s.Studies, s.Expect, s.Requests.Vocabulary = past.Header.Studies, past.PromptHashes(), past.Header.Vocabulary
	if highest := s.Requests.Vocabulary.Highest(); int(highest) >= s.ModelConfig.VocabSize {
		return s, nil, fmt.Errorf("the run that is repeated has token IDs up to %d, and %s knows only %d", highest, o.model, s.ModelConfig.VocabSize)
	}
	return s, m.cleanup, nil
}

// checkEngines refuses settings of points that cannot work, such as a tensor_parallel_size that does not divide the model,
// before the first engine is loaded.
func checkEngines(ctx context.Context, s bench.Settings, lib library) error {
	for _, study := range s.Studies {
		for _, p := range study.Points {
			if len(p.Set.Engine) == 0 {
				continue // as EngineArgs, which were checked
			}
			args, err := study.EngineArgs(s.EngineArgs, p)
			if err == nil {
				_, err = lib.loadConfig(ctx, args)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
		}
	}
	return nil
}

// writeReport prints the report and writes all files, from the journal in the results directory.
func writeReport(dir string, stdout, stderr io.Writer) error {
	recorded, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
	if err != nil {
		return err
	}
	results := report.New(recorded)
	err = errors.Join(report.WriteFiles(dir, results), results.WriteReport(stdout))
	fmt.Fprintf(stderr, "results are in %s\n", dir)
	if err == nil && !results.Complete() {
		err = errors.New("not every point was measured; the report says which and why")
	}
	return err
}

// oneOf says which values a flag has.
func oneOf(values []string) string { return "one of " + strings.Join(values, ", ") }
