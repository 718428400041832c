package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vllmgo/bench/workload"
	"vllmgo/internal/race"
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
	// shareGPU gives each contender an equal share of the GPU's memory that one would have.
	shareGPU bool
}

func (v *vllmbench) raceCommand() *cobra.Command {
	var o options
	var r raceOptions
	c := &cobra.Command{
		Use:   "race",
		Short: "Compare vllmgo with Python, vLLM's HTTP server and vllm bench throughput",
		Long: `Race runs the same requests with several contenders, in turns and in random order, and compares their rates. A contender is
KIND or NAME:KIND,SETTING=VALUE,…, where a setting is an engine argument, env.VARIABLE, or program, a path of what runs it
(another vllmbench for vllmgo and http, another Python for the rest), and a kind is one of

  vllmgo           this library
  python           vllm.LLM.generate in plain Python
  http             a Go client of vLLM's HTTP server, a request for each prompt
  throughput       vllm bench throughput, a process for each point
  throughput-warm  the same with as many warm-up requests

The first is the one with whom the others are compared. A race that was stopped goes on when it is started again with the
same --out.`,
		Example: `  vllmbench race
  vllmbench race --contender vllmgo --contender python --model llama-8b --rounds 20 --out results/race
  vllmbench race --contender vllmgo --contender tcmalloc:vllmgo,env.LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.resume = true // as far as the folder goes
			if o.out == "" {
				o.out = filepath.Join("results", "race-"+time.Now().Format("20060102T150405"))
			}
			if err := o.check(); err != nil {
				return err
			}
			r.shareGPU = !c.Flags().Changed("gpu-memory-utilization")
			v.status = status(c.Context(), v.args, v.stderr, v.race(c.Context(), o, r))
			return nil
		},
	}
	addFlags(c, &o)
	f := c.Flags()
	f.StringArrayVar(&r.contenders, "contender", []string{"vllmgo", "python", "http", "throughput", "throughput-warm"}, "who takes part; repeatable")
	f.IntVar(&r.rounds, "rounds", 10, "how often each contender measures each point")
	f.IntVar(&r.processRounds, "process-rounds", 3, "the same for contenders that load the model for each point")
	f.BoolVar(&r.together, "load-together", false, "load all contenders at the same time; their start-up times then are no fair ones, and on a GPU it needs --set kv_cache_memory_bytes=…")
	f.BoolVar(&r.reload, "reload", false, "load all contenders anew for each round, each time another one first, since two engines of one contender may differ by more than two contenders; --rounds must then be a multiple of their number")
	f.StringArrayVar(&o.set, "set", nil, "what to set for all points and contenders, NAME=VALUE; repeatable")
	f.StringArrayVar(&r.points, "point", nil, "leave out all points but this, STUDY=VALUE, such as batch-size=8; repeatable")
	for _, name := range []string{"trials", "target", "budget", "warmup", "timeout", "cold", "resume"} {
		_ = f.MarkHidden(name) // what a race has no use for
	}
	return c
}

// race runs a race and prints its tables.
func (v *vllmbench) race(ctx context.Context, o options, r raceOptions) error {
	s := race.Settings{
		Dir: o.out, Rounds: r.rounds, ProcessRounds: min(r.processRounds, r.rounds), LoadTogether: r.together, Reload: r.reload, Command: v.args, Progress: v.stderr,
	}
	if r.rounds < 1 || r.processRounds < 0 {
		return fmt.Errorf("--rounds is %d and --process-rounds %d; they must be at least 1 and 0", r.rounds, r.processRounds)
	}
	needTokenizer := false
	names := map[string]bool{}
	for _, text := range r.contenders {
		c, err := race.ParseContender(text)
		if err != nil {
			return err
		}
		if names[c.Name] {
			return fmt.Errorf("two contenders are called %s; give them names: NAME:KIND", c.Name)
		}
		names[c.Name] = true
		needTokenizer = needTokenizer || c.Kind.NeedsTokenizer()
		s.Contenders = append(s.Contenders, c)
	}
	if r.shareGPU {
		o.gpuMemoryUtilization /= float64(len(s.Contenders))
	}
	settings, cleanup, err := prepare(ctx, o, v.stderr, v.lib, nil, nil)
	if err != nil {
		return err
	}
	defer cleanup()
	if s.Studies, err = only(settings.Studies, r.points); err != nil {
		return err
	}
	s.EngineArgs, s.Model, s.Device, s.Requests = settings.EngineArgs, settings.ModelConfig, settings.Device, settings.Requests
	s.Name, s.Preset, s.RandomWeights = settings.ModelName, settings.Preset, settings.RandomWeights
	if s.EngineArgs.EngineMode, err = v.lib.resolveMode(ctx, s.EngineArgs.EngineMode); err != nil {
		return err
	}
	if s.Python, err = vllmgo.Python(); err != nil {
		return err
	}
	if needTokenizer && s.EngineArgs.SkipTokenizerInit {
		dir, err := makeTokenizer(ctx, s.Python, s.Model.VocabSize)
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.Tokenizer = dir
	}
	err = race.Run(ctx, s)
	result, reportErr := raceReport(o.out, v.stdout)
	if err = errors.Join(err, reportErr); err == nil && !result.Complete() {
		err = errors.New("not every contender measured every point; the end of the tables says why, and the same command tries again")
	}
	return err
}

// raceReport prints a race's tables and writes its files, from the journal in its directory.
func raceReport(dir string, stdout io.Writer) (*race.Result, error) {
	journal, err := race.ReadJournal(filepath.Join(dir, race.JournalName))
	if err != nil {
		return nil, err
	}
	result := race.NewResult(journal)
	return result, errors.Join(result.WriteFiles(dir), result.Write(stdout))
}

// only are the studies with the named points, all when there are no names.
func only(studies []workload.Study, points []string) ([]workload.Study, error) {
	if points == nil {
		return studies, nil
	}
	wanted := map[workload.PointID]bool{}
	for _, text := range points {
		study, value, _ := strings.Cut(text, "=")
		number, err := strconv.Atoi(value)
		if err != nil {
			return nil, fmt.Errorf("no point %q; an example: batch-size=8", text)
		}
		wanted[workload.PointID{Study: study, Value: number}] = true
	}
	var rest []workload.Study
	for _, s := range studies {
		var kept []workload.Point
		for _, p := range s.Points {
			if wanted[p.ID()] {
				kept = append(kept, p)
				delete(wanted, p.ID())
			}
		}
		if s.Points = kept; kept != nil {
			rest = append(rest, s)
		}
	}
	for p := range wanted {
		return nil, fmt.Errorf("the preset has no point %s", p)
	}
	return rest, nil
}

// makeTokenizer makes a tokenizer of as many words as a model has token IDs, in a folder that the caller removes.
func makeTokenizer(ctx context.Context, python string, size int) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "vllmgo-tokenizer-"); err != nil {
		return "", err
	}
	if text, err := exec.CommandContext(ctx, python, "-c", tokenizerScript, dir, strconv.Itoa(size)).CombinedOutput(); err != nil {
		return "", fmt.Errorf("making a tokenizer: %w: %s", errors.Join(err, os.RemoveAll(dir)), text)
	}
	return dir, nil
}
