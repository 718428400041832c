package vllm

import (
	"cmp"
	"context"
	"io"
	"time"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// DefaultModel is the model that the notebook measures.
const DefaultModel = "facebook/opt-125m"

// Settings configures [Run] and [Soak]. The zero value, with Dir set, measures the default
// preset with the default model.
type Settings struct {
	// Dir is the results directory. Required. It must not hold a journal, unless Resume is set.
	Dir string
	// Resume continues the run whose journal is in Dir, if there is one. All other settings must be
	// as they were, and so must the machine.
	Resume bool

	// EngineArgs are the settings of all engines. Model is a Hugging Face ID, a folder, or
	// [Llama8B]; empty means [DefaultModel]. When the default model is neither in the local cache
	// nor on the hub, its shape is measured with random weights, which cost the same for each
	// token.
	//
	// GPUMemoryUtilization 0 means 0.90. On a CPU, EnforceEager is set, since torch.compile takes a
	// minute for each engine and gains nothing; and a Dtype of "auto" means bfloat16 for a model in
	// float16 when the processor lacks arithmetic for it.
	EngineArgs vllmgo.EngineArgs

	// Studies are what to measure. nil means those of Preset.
	Studies []workload.Study
	// Preset is the name of a preset. Empty means [workload.PresetQuick] on a CPU and
	// [workload.PresetFull] on other devices.
	Preset string
	// Sweeps are the sweeps of the preset to measure. nil means all.
	Sweeps []workload.Sweep
	// Plan, if not nil, returns the studies to measure in place of the given ones. Use it when
	// choosing them needs the tokenizer. The tokenizer is nil when the model has none.
	Plan func(ctx context.Context, studies []workload.Study, t workload.Tokenizer) ([]workload.Study, error)
	// Repeat is a run whose requests are measured again. nil means that new requests are drawn. It
	// takes the place of Studies, Preset, Sweeps, Plan, Seed and Text. Its model, dtype,
	// tensor_parallel_size, engine mode, warm-up and a fixed number of trials are the defaults.
	Repeat *journal.Journal

	// Seed is the number that all prompts are drawn from.
	Seed uint64
	// Text sends prompts as text of exact length, instead of token IDs.
	Text bool
	// Stopping is the rule for how often each point is measured. Without MinTrials, a Target or
	// Budget of 0 means that of the preset: 2 %, and 3½ minutes for "quick" or 30 minutes for
	// others. With the preset "notebook" and no Budget, each point is measured once.
	Stopping stat.Stopping
	// WarmUp is how points are warmed up. Empty means [journal.WarmUpFull] or, with the preset
	// "notebook", [journal.WarmUpNotebook].
	WarmUp journal.WarmUpMode
	// Latency also times each request; see [bench.Settings].
	Latency bool
	// Goodput has the limits that a request must keep to count as good.
	Goodput journal.Goodput
	// Timeout is the longest time that a pass may take; 0 means no limit.
	Timeout time.Duration
	// Cold adds to the tables the times that the notebook's warm-up would have given.
	Cold bool

	// OneProcess measures all engines in this process. An engine that takes its process with it
	// then ends the run, and points that need environment variables fail.
	OneProcess bool

	// Command is the command line, for the record.
	Command []string
	// Progress receives a line for each event; nil means that nobody reads them. The standard error
	// of the processes that measure goes to the file [LogName] in Dir.
	Progress io.Writer
	// Library replaces parts of vllmgo, in tests or for another engine.
	Library Library
}

// Library is what [Run] and [Prepare] need of vllmgo. A nil function means that of vllmgo.
type Library struct {
	// DetectDevice is [vllmgo.DetectDevice], FindModel [vllmgo.FindModel], and so on.
	DetectDevice  func(context.Context) (string, error)
	FindModel     func(ctx context.Context, model string) error
	LoadConfig    func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error)
	LoadTokenizer func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error)
	// Open loads an engine; the default is [Open].
	Open bench.OpenFunc
	// Limits measures the limits of a device; the default is [MeasureLimits].
	Limits func(ctx context.Context, device, dtype string) (journal.Limits, error)
	// HasFloat16 reports whether the processor has float16 arithmetic.
	HasFloat16 func() bool
}

// complete fills in vllmgo's functions.
func (l Library) complete() Library {
	if l.DetectDevice == nil {
		l.DetectDevice = vllmgo.DetectDevice
	}
	if l.FindModel == nil {
		l.FindModel = vllmgo.FindModel
	}
	if l.LoadConfig == nil {
		l.LoadConfig = vllmgo.LoadModelConfig
	}
	if l.LoadTokenizer == nil {
		l.LoadTokenizer = func(ctx context.Context, args vllmgo.EngineArgs) (workload.Tokenizer, error) {
			return vllmgo.LoadTokenizer(ctx, args)
		}
	}
	if l.Open == nil {
		l.Open = Open
	}
	if l.Limits == nil {
		l.Limits = MeasureLimits
	}
	if l.HasFloat16 == nil {
		l.HasFloat16 = hasFloat16
	}
	return l
}

// stopping completes the rule for a preset.
func stopping(s stat.Stopping, preset string) stat.Stopping {
	switch {
	case s.MinTrials > 0:
		return s
	case s.Budget == 0 && preset == workload.PresetNotebook:
		return stat.FixedTrials(1)
	case s.Budget == 0 && preset == workload.PresetQuick:
		s.Budget = 3*time.Minute + 30*time.Second
	case s.Budget == 0:
		s.Budget = 30 * time.Minute
	}
	return stat.UntilPrecise(cmp.Or(s.Target, stat.DefaultTarget), s.Budget)
}
