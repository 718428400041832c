package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/cmd/vllmbench/internal/race"
	"vllmgo/vllmgo"
)

//go:embed tokenizer.py
var tokenizerScript string

// raceOptions are those of vllmbench race alone.
type raceOptions struct {
	contenders            []string
	rounds, processRounds int
	together, reload      bool
	points                []string

	parsed []race.Contender
	only   []workload.PointID // nil: all
}

func (v *vllmbench) raceCommand() *cobra.Command {
	var o options
	var r raceOptions
	c := &cobra.Command{
		Use:   "race",
		Short: "Compare vllmgo with Python, vLLM's HTTP server and vllm bench throughput",
		Long: `Race runs the same requests with several contenders, in turns and in random order, and compares
their rates. A contender is KIND or NAME:KIND,SETTING=VALUE,…, where a setting is an engine
argument, env.VARIABLE, or program, a path of what runs it (another vllmbench for vllmgo and http,
another Python for the rest), and a kind is one of

  vllmgo           this library
  python           vllm.LLM.generate in plain Python
  http             a Go client of vLLM's HTTP server, a request for each prompt
  throughput       vllm bench throughput, a process for each point
  throughput-warm  the same with as many warm-up requests

The first is the one with whom the others are compared. A race that was stopped goes on when it is
started again with the same --out.`,
		Example: `  vllmbench race
  vllmbench race --contender vllmgo --contender python --model llama-8b --rounds 20 --out results/race
  vllmbench race --contender vllmgo --contender small:vllmgo,max_num_seqs=64,env.OMP_NUM_THREADS=2`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			noEnv := o.study.checkNoEnv
			if err := errors.Join(o.check(), noEnv("give it to a contender: env.NAME=VALUE"), r.check()); err != nil {
				return err
			}
			if !c.Flags().Changed("gpu-memory-utilization") { // the contenders share the GPU
				o.gpuMemoryUtilization /= float64(len(r.parsed))
			}
			return v.race(c.Context(), o.settings(), o.folder("race-"), r)
		},
	}
	f := c.Flags()
	o.addFlags(f)
	o.addPresetFlag(f)
	o.study.addSetFlag(f)
	r.addFlags(f)
	return c
}

// addFlags defines the flags.
func (r *raceOptions) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(
		&r.contenders,
		"contender",
		[]string{"vllmgo", "python", "http", "throughput", "throughput-warm"},
		"who takes part; repeatable",
	)
	f.IntVar(&r.rounds, "rounds", 10, "`number` of times that each contender measures each point")
	f.IntVar(&r.processRounds, "process-rounds", 3, "the same for contenders that load the model for each point")
	f.BoolVar(
		&r.together,
		"load-together",
		false,
		"load all contenders at the same time; their start-up times are then not comparable, and on a"+
			" GPU it needs --set kv_cache_memory_bytes=…",
	)
	f.BoolVar(
		&r.reload,
		"reload",
		false,
		"load all contenders for each round, each time another one first, since two engines of one "+
			"contender may differ by more than two contenders; --rounds must then be a multiple of their "+
			"number",
	)
	f.StringArrayVar(&r.points, "point", nil, "measure only this point, `STUDY=VALUE`, such as batch-size=8; repeatable")
}

// check parses the flags and returns an error that says which is wrong.
func (r *raceOptions) check() error {
	r.parsed, r.only = nil, nil
	for _, text := range r.contenders {
		c, err := race.ParseContender(text)
		if err != nil {
			return usageError{err}
		}
		r.parsed = append(r.parsed, c)
	}
	if err := r.settings().Check(); err != nil {
		return usageError{err}
	}
	for _, text := range r.points {
		study, value, _ := strings.Cut(text, "=")
		number, err := strconv.Atoi(value)
		if err != nil {
			return usagef("no point %q; an example: batch-size=8", text)
		}
		r.only = append(r.only, workload.PointID{Study: study, Value: number})
	}
	return nil
}

// settings returns what the flags say of a race.
func (r *raceOptions) settings() race.Settings {
	return race.Settings{
		Contenders: r.parsed, Rounds: r.rounds, ProcessRounds: min(r.processRounds, r.rounds),
		LoadTogether: r.together, Reload: r.reload,
	}
}

// race runs a race and prints its tables.
func (v *vllmbench) race(ctx context.Context, s vllm.Settings, dir string, r raceOptions) (err error) {
	s.Command, s.Progress, s.Library = v.args, v.stderr, v.library
	settings, cleanup, err := vllm.Prepare(ctx, s)
	defer cleanup()
	if err != nil {
		return err
	}
	studies, err := only(settings.Studies, r.only)
	if err != nil {
		return err
	}
	args := settings.EngineArgs
	if args.EngineMode, err = vllmgo.ResolveEngineMode(ctx, args.EngineMode); err != nil {
		return err
	}
	python, err := vllmgo.Python()
	if err != nil {
		return err
	}
	tokenizer, remove, err := r.tokenizer(ctx, python, args, settings.ModelConfig.VocabSize)
	if err != nil {
		return err
	}
	defer remove()
	run := r.settings()
	run.Dir, run.Studies, run.EngineArgs, run.Python, run.Tokenizer = dir, studies, args, python, tokenizer
	run.Model, run.Device, run.Requests = settings.ModelConfig, settings.Device, settings.Requests
	run.Name, run.Preset, run.RandomWeights = settings.ModelName, settings.Preset, settings.RandomWeights
	run.Command, run.Progress = v.args, v.stderr
	err = race.Run(ctx, run)
	if errors.Is(err, race.ErrInUse) {
		return usageError{err}
	}
	result, reportErr := v.raceReport(dir)
	if !errors.Is(reportErr, fs.ErrNotExist) { // nothing began
		err = errors.Join(err, reportErr)
	}
	if err == nil && !result.Complete() {
		err = errors.New(
			"not every contender measured every point; the end of the tables says why, and the same command tries again",
		)
	}
	return err
}

// raceReport prints a race's tables and writes its files, from the journal in its folder.
func (v *vllmbench) raceReport(dir string) (*race.Result, error) {
	journal, err := race.ReadJournal(filepath.Join(dir, race.JournalName))
	if err != nil {
		return nil, err
	}
	result := race.NewResult(journal)
	return result, errors.Join(result.WriteFiles(dir), result.Write(v.stdout))
}

// only returns the studies with the given points; all when there are none.
func only(studies []workload.Study, points []workload.PointID) ([]workload.Study, error) {
	if points == nil {
		return studies, nil
	}
	var rest []workload.Study
	left := slices.Clone(points)
	for _, s := range studies {
		var kept []workload.Point
		for _, p := range s.Points {
			if slices.Contains(points, p.ID()) {
				kept = append(kept, p)
				left = slices.DeleteFunc(left, func(id workload.PointID) bool { return id == p.ID() })
			}
		}
		if s.Points = kept; kept != nil {
			rest = append(rest, s)
		}
	}
	if len(left) > 0 {
		return nil, usagef("the preset has no point %s", left[0])
	}
	return rest, nil
}

// tokenizer makes a tokenizer for contenders that need one, when the model has none, of as many
// words as the model has token IDs. It returns the folder, or "" when nobody needs it, and what
// removes it.
func (r *raceOptions) tokenizer(
	ctx context.Context,
	python string,
	args vllmgo.EngineArgs,
	size int,
) (dir string, remove func(), err error) {
	needed := slices.ContainsFunc(r.parsed, func(c race.Contender) bool { return c.Kind.NeedsTokenizer() })
	if !needed || !args.SkipTokenizerInit {
		return "", func() {}, nil
	}
	if dir, err = os.MkdirTemp("", "vllmgo-tokenizer-"); err != nil {
		return "", nil, err
	}
	if text, err := exec.CommandContext(ctx, python, "-c", tokenizerScript, dir, strconv.Itoa(size)).
		CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("making a tokenizer: %w: %s", errors.Join(err, os.RemoveAll(dir)), text)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
