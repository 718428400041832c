package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vllmgo/bench/race"
	"vllmgo/bench/workload"
)

// raceOptions are those of vllmbench race alone.
type raceOptions struct {
	contenders            []string
	rounds, processRounds int
	together, reload      bool
	points                []string

	parsed       []race.Contender
	parsedPoints []workload.PointID // nil: all
}

func (v *vllmbench) raceCommand() *cobra.Command {
	var o options
	var r raceOptions
	c := &cobra.Command{
		Use:   "race",
		Short: "Compare vllmgo with Python, vLLM's server and vllm bench throughput",
		Long: `Race runs the same requests with several contenders, in turns and in random
order, and compares their rates. A contender is KIND or
NAME:KIND,SETTING=VALUE,…, where a setting is an engine argument, env.VARIABLE,
or program, a path of what runs it (another vllmbench for vllmgo and http,
another Python for the rest), and a kind is one of

  vllmgo           this library
  python           vllm.LLM.generate in plain Python
  http             a Go client of vLLM's HTTP server, a request for each prompt
  throughput       vllm bench throughput, a process for each point
  throughput-warm  the same with as many warm-up requests

The first is the one with whom the others are compared. A race that was stopped
goes on when it is started again with the same --out.`,
		Example: `  vllmbench race
  vllmbench race --contender vllmgo --contender python --rounds 20 --out race
  vllmbench race --contender vllmgo --contender small:vllmgo,max_num_seqs=64`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(o.check(c.Flags()), r.check(c.Flags())); err != nil {
				return err
			}
			if err := o.study.checkNoEnv("give it to a contender: env.NAME=VALUE"); err != nil {
				return err
			}
			s := r.settings()
			s.VLLM = o.settings()
			s.VLLM.Dir = o.folder("race-")
			if !c.Flags().Changed("gpu-memory-utilization") {
				s.VLLM.EngineArgs.GPUMemoryUtilization = 0 // the contenders share the GPU
			}
			return v.race(c.Context(), s)
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
		"who takes part; repeatable (default one of each kind)",
	)
	f.Lookup("contender").DefValue = "[]" // the list is too wide for a line
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
	f.StringArrayVar(
		&r.points,
		"point",
		nil,
		"measure only this point, `STUDY=VALUE`, such as batch-size=8; repeatable",
	)
}

// check parses the flags and returns an error that names the one that is wrong.
func (r *raceOptions) check(f *pflag.FlagSet) error {
	r.parsed, r.parsedPoints = nil, nil
	for _, text := range r.contenders {
		c, err := race.ParseContender(text)
		if err != nil {
			return usageError{err}
		}
		r.parsed = append(r.parsed, c)
	}
	if err := r.settings().Check(); err != nil {
		return usagef("%w (--contender, --rounds, --process-rounds, --reload)", err)
	}
	if f.Changed("process-rounds") && r.processRounds > r.rounds {
		return usagef("--process-rounds is %d, and --rounds only %d; no contender has more rounds than that",
			r.processRounds, r.rounds)
	}
	for _, text := range r.points {
		study, value, _ := strings.Cut(text, "=")
		number, err := strconv.Atoi(value)
		if err != nil {
			return usagef("no point %q; an example: batch-size=8", text)
		}
		r.parsedPoints = append(r.parsedPoints, workload.PointID{Study: study, Value: number})
	}
	return nil
}

// settings returns the settings of a race from the flags.
func (r *raceOptions) settings() race.Settings {
	return race.Settings{
		Contenders: r.parsed, Rounds: r.rounds, ProcessRounds: min(r.processRounds, r.rounds),
		LoadTogether: r.together, Reload: r.reload, Points: r.parsedPoints,
	}
}

// race runs a race and prints its tables.
func (v *vllmbench) race(ctx context.Context, s race.Settings) error {
	s.VLLM.Command, s.VLLM.Progress, s.VLLM.Library = v.args, v.stderr, v.library
	done, err := makeFolder(s.VLLM.Dir)
	if err != nil {
		return err
	}
	defer done()
	err = race.Run(ctx, s)
	if errors.Is(err, race.ErrInUse) || errors.Is(err, race.ErrNoPoint) {
		return usageError{err}
	}
	return withReport(err, v.raceReport(s.VLLM.Dir))
}

// raceReport prints a race's tables and writes its files, from the journal in its folder.
func (v *vllmbench) raceReport(dir string) error {
	result, err := race.Publish(dir, v.stdout)
	if result != nil {
		v.noteUnverified(dir, result.Unverified)
	}
	if err == nil && !result.Complete() {
		err = errors.New(
			"not every contender measured every point; the end of the tables says why, and the same race tries again",
		)
	}
	return err
}
