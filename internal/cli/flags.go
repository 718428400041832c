package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// options are the command line.
type options struct {
	model                string
	tensorParallelSize   int
	gpuMemoryUtilization float64
	dtype                string
	preset               string
	mode                 string // engineMode as the flag has it
	engineMode           vllmgo.EngineMode
	out                  string
	seed                 uint64
	trials               int
	target               float64
	budget               time.Duration
	warmUp               journal.WarmUpMode
	cold                 bool
	resume               bool
	timeout              time.Duration

	// Of vllmbench alone.
	text    bool
	latency bool
	goodput journal.Goodput
	// A study of the user's own, when requests is not 0.
	name                string
	requests            int
	inputLen, outputLen string
	lengths             string // a file
	sharedPrefix        int
	axes                []string
	set                 []string
}

// defaultModel is the notebook's model.
const defaultModel = "facebook/opt-125m"

// addFlags defines the flags that all programs have.
func (o *options) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.model, "model", defaultModel, "model: a Hugging Face `ID`, a folder, or "+llama8B+", Llama 3.1 8B's shape with random weights")
	flags.IntVar(&o.tensorParallelSize, "tensor-parallel-size", 1, "number of `devices` (on a CPU: ranks) that each layer is split over")
	flags.Float64Var(&o.gpuMemoryUtilization, "gpu-memory-utilization", 0.90, "`fraction` of a GPU's memory that the engine may use; no effect on a CPU")
	flags.StringVar(&o.dtype, "dtype", "auto", "`type` of weights and activations: "+oneOf(dtypes()))
	flags.StringVar(&o.preset, "preset", "", "points to measure, "+oneOf(workload.Presets())+" (default quick on a CPU, full elsewhere)")
	o.mode = "auto"
	flags.StringVar(&o.mode, "engine-mode", o.mode, "where the engine runs: "+oneOf(engineModes()))
	flags.StringVar(&o.out, "out", "", "results `folder` (default results/YYYYMMDDTHHMMSS)")
	flags.IntVar(&o.trials, "trials", 0, "`number` of times that each point is measured, whatever -target and -budget say (default 1 with -preset notebook, otherwise as often as they say, at least 6)")
	flags.Float64Var(&o.target, "target", stat.DefaultTarget, "precision to reach: how far the 95 % interval's ends may be from the median, as a `fraction` of it")
	flags.DurationVar(&o.budget, "budget", 0, "`time` for the whole run, such as 10m (default 3m30s with -preset quick, 30m otherwise)")
	flags.StringVar((*string)(&o.warmUp), "warmup", "", "warm-up of each point: full, its whole shape until times are stable, or notebook, one request (default notebook with -preset notebook, full otherwise)")
	flags.DurationVar(&o.timeout, "timeout", 0, "longest `time` that one pass of a point may take, such as 10m (default no limit)")
	flags.BoolVar(&o.resume, "resume", false, "go on with the run in the folder of -out, which must have the same settings")
	flags.BoolVar(&o.cold, "cold", false, "show the times after the notebook's warm-up beside the others, and how much of them was start-up")
	flags.Uint64Var(&o.seed, "seed", 0, "`number` that all prompts are drawn from")
}

// parseFlags reads and checks the command line, so that a bad value is an error before anything starts. The
// first of args is the program's name. Usage and the errors of package flag go to stderr.
func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet(filepath.Base(args[0]), flag.ContinueOnError)
	flags.SetOutput(stderr)
	o.addFlags(flags)
	if err := flags.Parse(args[1:]); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; there are only flags", flags.Arg(0))
	}
	return o, o.check()
}

// check says which value is wrong, and fills engineMode in.
func (o *options) check() error {
	o.engineMode = vllmgo.EngineMode(o.mode)
	if o.mode == "auto" {
		o.engineMode = vllmgo.EngineModeAuto
	}
	switch {
	case o.model == "":
		return errors.New("-model is empty")
	case o.tensorParallelSize < 1:
		return fmt.Errorf("-tensor-parallel-size is %d; it must be at least 1", o.tensorParallelSize)
	case !(o.gpuMemoryUtilization > 0 && o.gpuMemoryUtilization <= 1):
		return fmt.Errorf("-gpu-memory-utilization is %v; it must be above 0 and at most 1", o.gpuMemoryUtilization)
	case !slices.Contains(dtypes(), o.dtype):
		return fmt.Errorf("-dtype is %q; it must be %s", o.dtype, oneOf(dtypes()))
	case o.preset != "" && !slices.Contains(workload.Presets(), o.preset):
		return fmt.Errorf("-preset is %q; it must be %s", o.preset, oneOf(workload.Presets()))
	case o.goodput.TTFT < 0 || o.goodput.TPOT < 0 || o.goodput.E2E < 0:
		return errors.New("a limit of goodput is below 0; it must be above")
	case o.goodput != journal.Goodput{} && !o.latency:
		return errors.New("limits of goodput need --latency, which times each request")
	case o.trials < 0:
		return fmt.Errorf("-trials is %d; it must be at least 1", o.trials)
	case !(o.target > 0):
		return fmt.Errorf("-target is %v; it must be above 0", o.target)
	case o.budget < 0:
		return fmt.Errorf("-budget is %v; it must be above 0", o.budget)
	case o.timeout < 0:
		return fmt.Errorf("-timeout is %v; it must be above 0", o.timeout)
	case o.resume && o.out == "":
		return errors.New("-resume needs -out, the folder of the run to go on with")
	case o.warmUp != "" && o.warmUp != journal.WarmUpFull && o.warmUp != journal.WarmUpNotebook:
		return fmt.Errorf("-warmup is %q; it must be %s or %s", o.warmUp, journal.WarmUpFull, journal.WarmUpNotebook)
	case !slices.Contains(engineModes(), o.mode):
		return fmt.Errorf("-engine-mode is %q; it must be %s", o.mode, oneOf(engineModes()))
	}
	if o.out != "" && !o.resume && os.Getenv(workerVariable) == "" {
		if _, err := os.Stat(filepath.Join(o.out, journal.FileName)); err == nil {
			return fmt.Errorf("-out is %s, which holds the results of another run; choose another folder, or go on with that run by -resume", o.out)
		}
	}
	return nil
}

// dtypes are the types that vLLM knows (vllm/config/model.py: ModelDType).
func dtypes() []string {
	return []string{"auto", "half", "float16", "bfloat16", "float", "float32"}
}

func engineModes() []string {
	return []string{"auto", string(vllmgo.OwnProcess), string(vllmgo.InProcess)}
}
