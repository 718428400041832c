package cli

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// options are the flags of the commands that measure.
type options struct {
	model                string
	tensorParallelSize   int
	dataParallelSize     int
	gpuMemoryUtilization float64
	dtype                string
	preset               string
	sweeps               []string
	engineMode           string
	out                  string
	seed                 uint64
	trials               int
	target               float64
	budget               time.Duration
	warmUp               string
	cold                 bool
	resume               bool
	verbose              bool
	timeout              time.Duration

	// Of run alone; run.go and study_flags.go define their flags.
	text    bool
	latency bool
	goodput journal.Goodput
	study   study
}

// addFlags defines the flags that run, replay, race and soak share.
func (o *options) addFlags(f *pflag.FlagSet) {
	f.StringVar(
		&o.model,
		"model",
		vllm.DefaultModel,
		"model: a Hugging Face `ID`, a folder, or "+vllm.Llama8B+", Llama 3.1 8B's shape with random weights",
	)
	f.IntVar(
		&o.tensorParallelSize,
		"tensor-parallel-size",
		1,
		"number of `devices` (on a CPU: ranks) that each layer is split over",
	)
	f.IntVar(
		&o.dataParallelSize,
		"data-parallel-size",
		1,
		"number of `engines`, each with a copy of the model, among which the requests are divided",
	)
	f.Float64Var(
		&o.gpuMemoryUtilization,
		"gpu-memory-utilization",
		0.90,
		"`fraction` of a GPU's memory that the engine may use; no effect on a CPU",
	)
	f.StringVar(&o.dtype, "dtype", "auto", "`type` of weights and activations: "+oneOf(dtypes()))
	f.StringVar(&o.engineMode, "engine-mode", "auto", "where the engine runs: "+oneOf(engineModes()))
	f.StringVar(&o.out, "out", "", "results `folder` (default results/YYYYMMDDTHHMMSS)")
	f.Uint64Var(&o.seed, "seed", 0, "`number` that all prompts are drawn from")
}

// addPresetFlag defines the flag for the points to measure.
func (o *options) addPresetFlag(f *pflag.FlagSet) {
	f.StringVar(
		&o.preset,
		"preset",
		"",
		"points to measure, "+oneOf(workload.Presets())+" (default quick on a CPU, full elsewhere)",
	)
	f.StringArrayVar(
		&o.sweeps,
		"sweep",
		nil,
		"measure only this `sweep` of the preset: "+oneOf(sweeps())+"; repeatable",
	)
}

// addTrialFlags defines the flags for how often and how points are measured.
func (o *options) addTrialFlags(f *pflag.FlagSet) {
	f.IntVar(
		&o.trials,
		"trials",
		0,
		"`number` of times that each point is measured, in place of --target and --budget (default 1"+
			" with --preset notebook; otherwise at least 6, as far as the budget allows)",
	)
	f.Float64Var(
		&o.target,
		"target",
		stat.DefaultTarget,
		"precision to reach: how far the ends of the 95 % interval may be from the median, as a `fraction` of it",
	)
	f.DurationVar(
		&o.budget,
		"budget",
		0,
		"`time` for the whole run, such as 10m (default 3m30s with --preset quick, 30m otherwise)",
	)
	f.StringVar(
		&o.warmUp,
		"warmup",
		"",
		"warm-up of each point: full, its whole shape until times are stable, or notebook, one "+
			"request (default notebook with --preset notebook, full otherwise)",
	)
	f.DurationVar(
		&o.timeout,
		"timeout",
		0,
		"longest `time` that one pass of a point may take, such as 10m (default no limit)",
	)
	f.BoolVar(
		&o.resume,
		"resume",
		false,
		"go on with the run in the folder of --out, which must have the same settings",
	)
	f.BoolVar(&o.verbose, "verbose", false, "print the whole report, which is in report.txt, in place of the short one")
	f.BoolVar(
		&o.cold,
		"cold",
		false,
		"show the times after the notebook's warm-up too, and how much of them was start-up",
	)
}

// check returns an error that names the value that is wrong, or the flag that another one makes
// useless. f are the flags that were parsed.
func (o *options) check(f *pflag.FlagSet) error {
	switch {
	case o.model == "":
		return usagef("--model is empty")
	case o.tensorParallelSize < 1:
		return usagef("--tensor-parallel-size is %d; it must be at least 1", o.tensorParallelSize)
	case o.dataParallelSize < 1:
		return usagef("--data-parallel-size is %d; it must be at least 1", o.dataParallelSize)
	case !(o.gpuMemoryUtilization > 0 && o.gpuMemoryUtilization <= 1):
		return usagef("--gpu-memory-utilization is %v; it must be above 0 and at most 1", o.gpuMemoryUtilization)
	case !slices.Contains(dtypes(), o.dtype):
		return usagef("--dtype is %q; it must be %s", o.dtype, oneOf(dtypes()))
	case o.preset != "" && !slices.Contains(workload.Presets(), o.preset):
		return usagef("--preset is %q; it must be %s", o.preset, oneOf(workload.Presets()))
	case !slices.Contains(engineModes(), o.engineMode):
		return usagef("--engine-mode is %q; it must be %s", o.engineMode, oneOf(engineModes()))
	}
	for _, sweep := range o.sweeps {
		if !slices.Contains(sweeps(), sweep) {
			return usagef("--sweep is %q; it must be %s", sweep, oneOf(sweeps()))
		}
	}
	studies, err := o.presetStudies()
	if err != nil {
		return err
	}
	if err := o.study.parse(studies); err != nil {
		return err
	}
	return o.study.checkTwice(f)
}

// presetStudies returns the studies of the preset and sweeps of the flags. Without a preset they
// are those of the full one, whose studies vary the same as those of the others that a device may
// have as its default.
func (o *options) presetStudies() ([]workload.Study, error) {
	all, err := workload.Preset(cmp.Or(o.preset, workload.PresetFull))
	if err != nil || len(o.sweeps) == 0 {
		return all, err
	}
	var chosen []workload.Study
	for _, sweep := range o.sweeps {
		i := slices.IndexFunc(all, func(s workload.Study) bool { return string(s.Sweep) == sweep })
		if i < 0 {
			return nil, usagef("--preset %s has no sweep %s", o.preset, sweep)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// checkTrials is check for the flags of addTrialFlags and for those of run alone.
func (o *options) checkTrials(f *pflag.FlagSet) error {
	notebook := o.preset == workload.PresetNotebook
	err := checkAbove(f, "trials", "target", "budget", "timeout", "goodput-ttft", "goodput-tpot", "goodput-e2e")
	if err != nil {
		return err
	}
	switch {
	case o.goodput != journal.Goodput{} && !o.latency:
		return usagef("limits of goodput need --latency, which times each request")
	case o.trials > 0 && (f.Changed("target") || f.Changed("budget")):
		return usagef(
			"--trials gives the number of trials, so that --target and --budget have no effect; leave it or them out",
		)
	case notebook && f.Changed("target") && !f.Changed("budget"):
		return usagef("--target has no effect with --preset notebook, which measures each point once; " +
			"add --budget to measure until the target is reached, or leave --target out")
	case !(o.target > 0 && o.target < 1):
		return usagef("--target is %v; it is a fraction, so it must be above 0 and below 1: 0.02 for 2 %%", o.target)
	case o.resume && o.out == "":
		return usagef("--resume needs --out, the folder of the run to go on with")
	case o.warmUp != "" && o.warmUp != string(journal.WarmUpFull) && o.warmUp != string(journal.WarmUpNotebook):
		return usagef("--warmup is %q; it must be %s or %s", o.warmUp, journal.WarmUpFull, journal.WarmUpNotebook)
	case o.cold && (o.warmUp == string(journal.WarmUpNotebook) || o.warmUp == "" && notebook):
		return usagef("--cold has no effect with the notebook's warm-up, whose times it shows; " +
			"add --warmup full, or leave --cold out")
	}
	return nil
}

// folder returns the results folder: that of --out, or a new one with the given prefix.
func (o *options) folder(prefix string) string {
	if o.out != "" {
		return o.out
	}
	return filepath.Join("results", prefix+time.Now().Format("20060102T150405"))
}

// settings returns the settings of a run.
func (o *options) settings() vllm.Settings {
	o.study.seed = o.seed
	s := vllm.Settings{
		Dir:    o.folder(""),
		Resume: o.resume,
		EngineArgs: vllmgo.EngineArgs{
			Model:                o.model,
			Dtype:                o.dtype,
			TensorParallelSize:   o.tensorParallelSize,
			GPUMemoryUtilization: o.gpuMemoryUtilization,
			EngineMode:           vllmgo.EngineMode(strings.TrimPrefix(o.engineMode, "auto")),
		},
		Preset:   o.preset,
		Seed:     o.seed,
		Text:     o.text,
		Stopping: stat.Stopping{Target: o.target, Budget: o.budget},
		WarmUp:   journal.WarmUpMode(o.warmUp),
		Latency:  o.latency,
		Goodput:  o.goodput,
		Timeout:  o.timeout,
		Cold:     o.cold,
		Plan:     o.study.plan,
	}
	if o.dataParallelSize > 1 {
		s.EngineArgs.DataParallelSize = o.dataParallelSize
	}
	for _, sweep := range o.sweeps {
		s.Sweeps = append(s.Sweeps, workload.Sweep(sweep))
	}
	if o.trials > 0 {
		s.Stopping = stat.FixedTrials(o.trials)
	}
	if o.study.custom() {
		s.Preset, s.Studies = "", []workload.Study{o.study.shape}
	}
	return s
}

// dtypes are the types that vLLM knows (vllm/config/model.py: ModelDType).
func dtypes() []string {
	return []string{"auto", "half", "float16", "bfloat16", "float", "float32"}
}

func sweeps() []string {
	return []string{string(workload.BatchSize), string(workload.SequenceLength), string(workload.RequestCount)}
}

func engineModes() []string {
	return []string{"auto", string(vllmgo.OwnProcess), string(vllmgo.InProcess)}
}

// oneOf returns a list of the values that a flag can have.
func oneOf(values []string) string { return "one of " + strings.Join(values, ", ") }
