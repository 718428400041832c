package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vllmgo/bench/journal"
	"vllmgo/bench/race"
	"vllmgo/bench/vllm"
)

func (v *vllmbench) replayCommand() *cobra.Command {
	var o options
	var onlyRequests, onlyReport bool
	c := &cobra.Command{
		Use:   "replay FOLDER",
		Short: "Measure a run's requests again, or remake its report",
		Long: `Replay draws the requests of a run again from its journal, compares each trial's
with the journal's SHA-256, and measures them here. The model, dtype, devices,
engine mode, warm-up and a fixed number of trials are those of that run unless
flags say otherwise. Races and soak tests can only be reported again.`,
		Example: `  vllmbench replay results/first                   # measure again
  vllmbench replay --check-requests results/first  # only compare the requests
  vllmbench replay --report results/first          # only make the report again`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if onlyReport {
				if err := checkOnly(c.Flags(), "report", "verbose"); err != nil {
					return err
				}
				return v.reportAgain(folderOf(args[0]), o.verbose)
			}
			if onlyRequests {
				if err := checkOnly(c.Flags(), "check-requests", "model"); err != nil {
					return err
				}
			}
			past, err := v.readJournal(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("seed") {
				return usagef("--seed has no effect: the requests are those of the run that is replayed; leave it out")
			}
			if err := errors.Join(o.check(c.Flags()), o.checkTrials(c.Flags())); err != nil {
				return err
			}
			s := o.settings()
			unset(c.Flags(), &s)
			if onlyRequests {
				return v.verify(c.Context(), s.EngineArgs.Model, past)
			}
			s.Repeat = past
			return v.run(c.Context(), s, o.verbose)
		},
	}
	f := c.Flags()
	o.addFlags(f)
	o.addTrialFlags(f)
	f.BoolVar(&onlyRequests, "check-requests", false, "only draw the requests again and compare them with the journal")
	f.BoolVar(&onlyReport, "report", false, "only make tables, plots and report again, in the folder")
	c.MarkFlagsMutuallyExclusive("check-requests", "report")
	return c
}

// checkOnly returns an error when flags are given that have no effect beside a flag that measures
// nothing. The others do have one.
func checkOnly(f *pflag.FlagSet, flag string, others ...string) (err error) {
	f.Visit(func(given *pflag.Flag) {
		if given.Name != flag && !slices.Contains(others, given.Name) && err == nil {
			err = usagef("--%s has no effect with --%s, which measures nothing; leave one out", given.Name, flag)
		}
	})
	return err
}

// folderOf returns the folder of results: path itself, or the folder of the file that it names.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// unset clears the settings whose flags are not given, so that those of the run that is replayed
// are taken.
func unset(f *pflag.FlagSet, s *vllm.Settings) {
	for name, clear := range map[string]func(){
		"model":                func() { s.EngineArgs.Model = "" },
		"dtype":                func() { s.EngineArgs.Dtype = "" },
		"tensor-parallel-size": func() { s.EngineArgs.TensorParallelSize = 0 },
		"data-parallel-size":   func() { s.EngineArgs.DataParallelSize = 0 },
		"target":               func() { s.Stopping.Target = 0 },
	} {
		if !f.Changed(name) {
			clear()
		}
	}
}

// reportAgain makes the report of a run, a race or a soak test again.
func (v *vllmbench) reportAgain(dir string, verbose bool) error {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	switch {
	case has(race.JournalName):
		return v.raceReport(dir)
	case has(journal.SoakFileName):
		return v.soakReport(dir)
	case !has(journal.FileName):
		return usagef(
			"%s has no journal of a run, a race or a soak test: %s, %s or %s",
			dir,
			journal.FileName,
			race.JournalName,
			journal.SoakFileName,
		)
	}
	return v.report(dir, verbose)
}

// verify draws a run's requests again and compares them with its journal.
func (v *vllmbench) verify(ctx context.Context, model string, past *journal.Journal) error {
	n, err := vllm.VerifyRequests(ctx, past, model, v.library)
	if err == nil {
		fmt.Fprintf(v.stdout, "the prompts of all %d trials are those of the journal\n", n)
	}
	return err
}
