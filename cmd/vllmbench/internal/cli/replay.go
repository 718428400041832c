package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"vllmgo/bench/journal"
	"vllmgo/bench/race"
	"vllmgo/bench/report"
	"vllmgo/bench/vllm"
)

func (v *vllmbench) replayCommand() *cobra.Command {
	var o options
	var onlyRequests, onlyReport bool
	c := &cobra.Command{
		Use:   "replay FOLDER",
		Short: "Measure a run's requests again, or remake its report",
		Long: `Replay draws the requests of a run again from its journal, compares each trial's with the journal's
SHA-256, and measures them here. The model, dtype, seed, devices, engine mode, warm-up and a fixed
number of trials are those of that run unless flags say otherwise. Races and soak tests can only be reported again.`,
		Example: `  vllmbench replay results/20260101T120000                   # measure again
  vllmbench replay --requests results/20260101T120000        # only compare the requests; needs no vLLM
  vllmbench replay --report results/20260101T120000          # only make tables, plots and report again`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if onlyReport {
				return v.reportAgain(folderOf(args[0]))
			}
			past, err := readJournal(args[0])
			if err != nil {
				return err
			}
			likeJournal(c, &o, past.Header)
			if err := errors.Join(o.check(), o.checkTrials()); err != nil {
				return err
			}
			if onlyRequests {
				return v.verify(c.Context(), o, past)
			}
			s := o.settings()
			s.Repeat = past
			return v.run(c.Context(), s)
		},
	}
	f := c.Flags()
	o.addFlags(f)
	o.addTrialFlags(f)
	f.BoolVar(&onlyRequests, "requests", false, "only draw the requests again and compare them with the journal")
	f.BoolVar(&onlyReport, "report", false, "only make tables, plots and report again, in the folder")
	c.MarkFlagsMutuallyExclusive("requests", "report")
	return c
}

// folderOf returns the folder of results: path itself, or the folder of the file that it names.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// likeJournal takes what the flags leave open from the header of a journal.
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

// reportAgain makes the report of a run, a race or a soak test again.
func (v *vllmbench) reportAgain(dir string) error {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	switch {
	case has(race.JournalName):
		_, err := race.Publish(dir, v.stdout)
		return err
	case has(journal.SoakFileName):
		return report.PublishSoak(dir, v.stdout)
	case !has(journal.FileName):
		return usagef(
			"%s has no journal of a run, a race or a soak test: %s, %s or %s",
			dir,
			journal.FileName,
			race.JournalName,
			journal.SoakFileName,
		)
	}
	return v.report(dir)
}

// verify draws a run's requests again and compares them with its journal.
func (v *vllmbench) verify(ctx context.Context, o options, past *journal.Journal) error {
	n, err := vllm.VerifyRequests(ctx, past, o.model, v.library)
	if err == nil {
		fmt.Fprintf(v.stdout, "the prompts of all %d trials are those of the journal\n", n)
	}
	return err
}
