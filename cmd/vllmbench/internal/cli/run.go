package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/vllm"
	"vllmgo/internal/plain"
)

// runCommand returns the command. Its flags are the ones below, those of shared_flags.go that other
// commands have too (the model, trials and the results folder), and those of study_flags.go (a
// study of the user's own).
func (v *vllmbench) runCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "run",
		Short: "Measure a preset, or a study of any settings",
		Long: `Run measures the studies of a preset or, with --requests, --lengths or --axis, a
study of your own: every combination of the axes' values. An axis, and a setting
that is the same for all points, is named

  requests, input_len, output_len, shared_prefix
  NAME             an engine argument of vLLM's, such as max_num_seqs or dtype
  sampling.NAME    a sampling parameter of vLLM's, such as temperature
  env.NAME         an environment variable`,
		Example: `  vllmbench run --preset quick
  vllmbench run --axis max_num_seqs=8,16,32 --axis enforce_eager=true,false
  vllmbench run --input-len lognormal:256,0.8 --requests 64
  vllmbench run --requests 200 --lengths ShareGPT_V3.json --text`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.checkRun(c.Flags()); err != nil {
				return err
			}
			return v.run(c.Context(), o.settings(), o.verbose)
		},
	}
	o.addRunFlags(c.Flags())
	return c
}

// checkRun returns an error that names the flag of run that is wrong or would have no effect.
func (o *options) checkRun(f *pflag.FlagSet) error {
	if err := errors.Join(o.check(f), o.checkTrials(f)); err != nil {
		return err
	}
	return o.study.checkUse(f)
}

// addRunFlags defines the flags of run.
func (o *options) addRunFlags(f *pflag.FlagSet) {
	o.addFlags(f)
	o.addPresetFlag(f)
	o.addTrialFlags(f)
	o.study.addFlags(f)
	f.BoolVar(
		&o.latency,
		"latency",
		false,
		"also time each request, in separate passes on an engine with statistics: queue, TTFT, TPOT, ITL, E2E",
	)
	f.DurationVar(
		&o.goodput.TTFT,
		"goodput-ttft",
		0,
		"longest TTFT of a request that counts as good, such as 200ms (default no limit)",
	)
	f.DurationVar(&o.goodput.TPOT, "goodput-tpot", 0, "longest TPOT, likewise")
	f.DurationVar(&o.goodput.E2E, "goodput-e2e", 0, "longest E2E latency, likewise")
	f.BoolVar(&o.text, "text", false, "send prompts as text, of exact length, instead of token IDs")
}

// run measures, and prints the report of what was measured.
func (v *vllmbench) run(ctx context.Context, s vllm.Settings, verbose bool) error {
	s.Command, s.Progress, s.Library, s.OneProcess = v.args, v.stderr, v.library, v.oneProcess
	if _, err := os.Stat(filepath.Join(s.Dir, journal.FileName)); s.Resume && errors.Is(err, fs.ErrNotExist) {
		return usagef("--resume: %s has no run to go on with; leave --resume out to begin one", s.Dir)
	}
	done, err := makeFolder(s.Dir)
	if err != nil {
		return err
	}
	defer done()
	err = vllm.Run(ctx, s)
	if errors.Is(err, vllm.ErrInUse) {
		return usagef(
			"--out is %s, which holds the results of another run; choose another folder, or go on with that run by --resume",
			s.Dir,
		)
	}
	return withReport(err, v.report(s.Dir, verbose))
}

// makeFolder makes the results folder, before anything that takes long. done removes it again if
// nothing was written into it.
func makeFolder(dir string) (done func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, usagef("--out: the results folder cannot be made: %w", err)
	}
	return func() { _ = os.Remove(dir) }, nil // which fails unless it is empty
}

// withReport returns the error of what was measured together with that of its report, which is not
// there when nothing began.
func withReport(err, reportErr error) error {
	if err != nil && errors.Is(reportErr, fs.ErrNotExist) {
		return err
	}
	return errors.Join(err, reportErr)
}

// report writes the files of a run, from the journal in its folder, and prints its report: the
// whole one when verbose is true, and otherwise the short one.
func (v *vllmbench) report(dir string, verbose bool) error {
	results, err := report.Read(dir)
	if err != nil {
		return err
	}
	v.noteUnverified(dir, results.Unverified)
	err = results.WriteFiles(dir)
	if verbose {
		err = errors.Join(err, results.WriteReport(v.stdout))
	} else {
		err = errors.Join(err, results.WriteShort(v.stdout, dir, report.Width(v.stdout)))
	}
	if err == nil && !results.Complete() {
		err = errors.New("not every point was measured; the report says which and why")
	}
	return err
}

// readRun reads the results of a run whose folder, or a file in it, the command line names.
func (v *vllmbench) readRun(path string) (*report.Results, error) {
	results, err := report.Read(folderOf(path))
	if err == nil {
		v.noteUnverified(path, results.Unverified)
	}
	return results, missingAsUsage(err)
}

// readJournal reads the journal of a run that the command line names.
func (v *vllmbench) readJournal(path string) (*journal.Journal, error) {
	j, err := journal.ReadFile(filepath.Join(folderOf(path), journal.FileName))
	if err == nil {
		v.noteUnverified(path, j.Unverified)
	}
	return j, missingAsUsage(err)
}

// noteUnverified says that a journal has no checksums, if it has none. The reports do not say it,
// so that they are what they were when the journal was new.
func (v *vllmbench) noteUnverified(path string, unverified bool) {
	if unverified {
		fmt.Fprintf(plain.Writer(v.stderr), "%s: the journal is of an older version and has no checksums: "+
			"damage to it can go unnoticed\n", path)
	}
}

// missingAsUsage returns err as an error of the command line if it means that a file is not there.
func missingAsUsage(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return usageError{err}
	}
	return err
}
