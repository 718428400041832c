package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/workload"
	"vllmgo/internal/race"
)

// Vllmbench is the program vllmbench: it runs a command line and ends the process as [Main] does.
func Vllmbench() {
	if kind := os.Getenv(race.Variable); kind != "" {
		os.Exit(race.Serve(race.Kind(kind)))
	}
	setDefaultEnv("VLLM_LOGGING_LEVEL", "WARNING")
	v := vllmbench{args: os.Args, stdout: os.Stdout, stderr: os.Stderr, lib: vllm(), worker: os.Getenv(workerVariable)}
	v.start = func(ctx context.Context, dir string, env map[string]string) error {
		return runWorker(ctx, os.Args, dir, env, os.Stderr)
	}
	os.Exit(v.execute(withSignals(context.Background())))
}

// vllmbench is the program and what it works with.
type vllmbench struct {
	args           []string
	stdout, stderr io.Writer
	lib            library
	// worker is the results directory when this process is a worker, else empty.
	worker string
	// start measures the points of one engine in a worker.
	start  func(ctx context.Context, dir string, env map[string]string) error
	status int
}

// execute runs the command line and returns the exit status.
func (v *vllmbench) execute(ctx context.Context) int {
	root := &cobra.Command{
		Use:           "vllmbench",
		Short:         "Measure how fast vLLM generates text offline, from Go",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(v.runCommand(), v.replayCommand(), v.compareCommand(), v.scalingCommand(), v.raceCommand(), v.soakCommand())
	root.SetArgs(v.args[1:])
	root.SetOut(v.stdout)
	root.SetErr(v.stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(v.stderr, "vllmbench: %v\n", err)
		return 2
	}
	return v.status
}

func (v *vllmbench) runCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "run",
		Short: "Measure a preset, or a study of any settings",
		Long: `Run measures the studies of a preset or, with --requests, --lengths or --axis, a study of your own: every
combination of the axes' values. An axis, and a setting that is the same for all points, is named

  requests, input_len, output_len, shared_prefix
  NAME                an engine argument of vLLM's, such as max_num_seqs or dtype
  sampling.NAME       a sampling parameter of vLLM's, such as temperature
  env.NAME            an environment variable`,
		Example: `  vllmbench run --preset quick
  vllmbench run --requests 32 --axis max_num_seqs=8,16,32 --axis enforce_eager=true,false
  vllmbench run --requests 64 --input-len lognormal:256,0.8 --output-len uniform:16,128 --set sampling.temperature=1
  vllmbench run --requests 200 --lengths ShareGPT_V3.json --text`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.requests == 0 && (len(o.axes) > 0 || o.lengths != "") {
				o.requests = 32
			}
			if err := o.check(); err != nil {
				return err
			}
			v.status = v.measure(c.Context(), o, nil)
			return nil
		},
	}
	addFlags(c, &o)
	f := c.Flags()
	f.StringVar(&o.name, "name", "study", "name of your own study, and of its files")
	f.IntVar(&o.requests, "requests", 0, "requests of each point of your own study (default 32)")
	f.StringVar(&o.inputLen, "input-len", "128", "length of prompts: a number, uniform:LOW,HIGH, normal:MEAN,SD or lognormal:MEDIAN,SIGMA")
	f.StringVar(&o.outputLen, "output-len", "64", "length of outputs, likewise")
	f.StringVar(&o.lengths, "lengths", "", "file with lengths or texts of real requests: JSON lines or an array, such as ShareGPT's")
	f.IntVar(&o.sharedPrefix, "shared-prefix", 0, "tokens that all prompts begin with")
	f.StringArrayVar(&o.axes, "axis", nil, "what to vary, NAME=VALUE,VALUE…; repeat it for a grid")
	f.StringArrayVar(&o.set, "set", nil, "what to set for all points, NAME=VALUE; repeatable")
	f.BoolVar(&o.latency, "latency", false, "also time each request, in passes of their own on an engine with statistics: queue, TTFT, TPOT, ITL, E2E")
	f.DurationVar(&o.goodput.TTFT, "goodput-ttft", 0, "longest TTFT of a request that counts as good, such as 200ms (default no limit)")
	f.DurationVar(&o.goodput.TPOT, "goodput-tpot", 0, "longest TPOT, likewise")
	f.DurationVar(&o.goodput.E2E, "goodput-e2e", 0, "longest E2E latency, likewise")
	f.BoolVar(&o.text, "text", false, "send prompts as text, of exact length, instead of token IDs")
	return c
}

func (v *vllmbench) replayCommand() *cobra.Command {
	var o options
	var onlyRequests, onlyReport bool
	c := &cobra.Command{
		Use:   "replay FOLDER",
		Short: "Measure a run's requests again, or remake its report",
		Long: `Replay draws the requests of a run again from its journal, compares each trial's with the journal's SHA-256, and
measures them here, with the engine that the flags describe; what they do not say is as in that run. Races and soak tests
can only be reported again.`,
		Example: `  vllmbench replay results/20260101T120000                   # measure again
  vllmbench replay --requests results/20260101T120000        # only compare the requests; needs no vLLM
  vllmbench replay --report results/20260101T120000          # only make tables, plots and report again`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := folder(args[0])
			if onlyReport {
				v.status = status(c.Context(), v.args, v.stderr, v.reportAgain(dir))
				return nil
			}
			journal, err := journal.ReadFile(filepath.Join(dir, journal.FileName))
			if err != nil {
				return err
			}
			likeJournal(c, &o, journal.Header)
			if err := o.check(); err != nil {
				return err
			}
			if onlyRequests {
				v.status = status(c.Context(), v.args, v.stderr, v.verify(c.Context(), o, journal))
				return nil
			}
			v.status = v.measure(c.Context(), o, journal)
			return nil
		},
	}
	addFlags(c, &o)
	c.Flags().BoolVar(&onlyRequests, "requests", false, "only draw the requests again and compare them with the ledger")
	c.Flags().BoolVar(&onlyReport, "report", false, "only make tables, plots and report again, in the folder")
	c.MarkFlagsMutuallyExclusive("requests", "report")
	return c
}

func (v *vllmbench) compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare FOLDER FOLDER",
		Short: "Say which points of two runs differ, and by how much",
		Long: `Compare tests for each point that two runs have in common whether its times differ by more than chance explains
(Mann-Whitney U test, p ≤ 1 %), and prints the ratio of the medians with a 99 % interval. Notes say what else differs:
machine, model, setting, versions, prompts.`,
		Example: "  vllmbench compare results/20260101T120000 results/20260102T120000",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var runs [2]*report.Results
			for i, arg := range args {
				journal, err := journal.ReadFile(filepath.Join(folder(arg), journal.FileName))
				if err != nil {
					return err
				}
				runs[i] = report.New(journal)
			}
			return report.Compare(runs[0], runs[1]).Write(v.stdout)
		},
	}
}

// folder is a run's folder, of which the path of a file in it will do.
func folder(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// addFlags adds the flags that all programs have.
func addFlags(c *cobra.Command, o *options) {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	o.addFlags(set)
	c.Flags().AddGoFlagSet(set)
}

// likeJournal takes from a journal's header what the flags do not say.
func likeJournal(c *cobra.Command, o *options, h journal.Header) {
	take := func(name, value string) {
		if f := c.Flags().Lookup(name); !f.Changed && value != "" {
			_ = f.Value.Set(value) // a run that had it checked it
		}
	}
	take("model", h.Model)
	take("dtype", h.EngineArgs.Dtype)
	take("seed", strconv.FormatUint(h.Seed, 10))
	take("engine-mode", string(h.EngineMode))
	take("warmup", string(h.WarmUp))
	if n := h.EngineArgs.TensorParallelSize; n > 0 {
		take("tensor-parallel-size", strconv.Itoa(n))
	}
	if h.Stopping.MinTrials == h.Stopping.MaxTrials && !c.Flags().Changed("target") && !c.Flags().Changed("budget") {
		take("trials", strconv.Itoa(h.Stopping.MaxTrials))
	}
	o.text = h.Text
}

// measure measures and returns the exit status. With a journal, it measures that run's requests again.
func (v *vllmbench) measure(ctx context.Context, o options, journal *journal.Journal) int {
	if v.worker != "" {
		return status(ctx, v.args, v.stderr, measure(ctx, o, v.args, v.worker, v.stderr, v.lib, nil, journal))
	}
	return runOptions(ctx, o, v.args, v.stdout, v.stderr, func(dir string, env map[string]string) error { return v.start(ctx, dir, env) })
}

// reportAgain makes the report of a run, a race or a soak test again.
func (v *vllmbench) reportAgain(dir string) error {
	has := func(journal string) bool {
		_, err := os.Stat(filepath.Join(dir, journal))
		return err == nil
	}
	switch {
	case has(race.JournalName):
		_, err := raceReport(dir, v.stdout)
		return err
	case has(journal.SoakFileName):
		return soakReport(dir, v.stdout)
	}
	return writeReport(dir, v.stdout, v.stderr)
}

// verify draws a run's requests again and compares them with its ledger.
func (v *vllmbench) verify(ctx context.Context, o options, journal *journal.Journal) error {
	var tokenizer workload.Tokenizer
	if journal.Header.Text {
		m, err := chooseModel(ctx, o.model, v.stderr, v.lib)
		if err != nil {
			return err
		}
		defer m.cleanup()
		if tokenizer, err = v.lib.loadTokenizer(ctx, m.args); err != nil {
			return err
		}
	}
	n, err := journal.VerifyRequests(ctx, tokenizer)
	if err == nil {
		fmt.Fprintf(v.stdout, "the prompts of all %d trials are those of the journal\n", n)
	}
	return err
}
