package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vllmgo/bench/report"
)

// The exit statuses of compare alone.
const (
	statusSlower    = 3 // a run is slower by the limit
	statusUndecided = 4 // the trials do not decide whether it is
	statusNothing   = 5 // no point was measured in both runs
)

// statusError is an error with an exit status of its own.
type statusError struct {
	status int
	error
}

// The formats of a comparison.
const (
	formatText        = "text"
	formatMarkdown    = "markdown"
	formatGoBenchmark = "go-benchmark"
)

// comparison is the flags of compare.
type comparison struct {
	format string
	limit  percent
	anyway bool
}

func (v *vllmbench) compareCommand() *cobra.Command {
	var o comparison
	c := &cobra.Command{
		Use:   "compare FOLDER FOLDER…",
		Short: "Say which points of runs differ, and by how much",
		Long: `Compare compares each further run with the first. It tests for each point that
two runs have in common whether its times differ by more than chance explains
(Mann-Whitney U test, p ≤ 1 %), and prints the ratio of the medians with a 99 %
interval, and the geometric mean over the points. Notes name every setting that
the journals do not agree on, with both values, and say which run is unfinished
or damaged, which points failed a check, and whose prompts differ.

Runs of unlike models, machines or prompts are refused unless --anyway is given.

With --fail-if-slower the exit status is 3 when the mean is above 1 and may be
above the limit, and 4 when it may be either 1 or above the limit. It is 5 when
no point was measured in both runs.`,
		Example: `  vllmbench compare results/20260101T120000 results/20260102T120000
  vllmbench compare --fail-if-slower 3% --format markdown before after
  vllmbench compare --format go-benchmark before after | benchstat -col run -`,
		Args: func(_ *cobra.Command, folders []string) error {
			if len(folders) < 2 {
				return usagef("compare needs the results folders of two runs or more, and got %d; an example: "+
					"vllmbench compare results/before results/after", len(folders))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return v.compare(o, args) },
	}
	f := c.Flags()
	f.StringVar(&o.format, "format", formatText, "`form` of what is printed: "+oneOf(compareFormats()))
	f.Var(&o.limit, "fail-if-slower", "`percentage`, such as 3%, by which a run must not be slower than the first")
	f.BoolVar(&o.anyway, "anyway", false, "compare runs of unlike models, machines or prompts too")
	return c
}

func compareFormats() []string { return []string{formatText, formatMarkdown, formatGoBenchmark} }

// compare compares the runs in folders with the first of them.
func (v *vllmbench) compare(o comparison, folders []string) error {
	if !slices.Contains(compareFormats(), o.format) {
		return usagef("--format is %q; it must be %s", o.format, oneOf(compareFormats()))
	}
	var runs []*report.Results
	for _, folder := range folders {
		run, err := v.readRun(folder)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	var verdicts []error
	for i, run := range runs[1:] {
		c := report.Compare(runs[0], run)
		if len(c.Unlike) > 0 && !o.anyway {
			return usagef("%s and %s differ in %s; compare runs of one model, machine and seed, or add --anyway",
				folders[0], folders[i+1], strings.Join(c.Unlike, ", in "))
		}
		if err := v.writeComparison(o.format, c, folders[0], folders[i+1]); err != nil {
			return err
		}
		verdicts = append(verdicts, o.judge(c, folders[0], folders[i+1]))
	}
	if o.format == formatGoBenchmark {
		for i, run := range runs {
			if err := run.WriteGoBenchmark(v.stdout, folders[i]); err != nil {
				return err
			}
		}
	}
	return worst(verdicts)
}

// writeComparison prints a comparison, unless the format is that of single runs.
func (v *vllmbench) writeComparison(format string, c *report.Comparison, first, second string) error {
	switch format {
	case formatText:
		return c.Write(v.stdout, first, second, report.Width(v.stdout))
	case formatMarkdown:
		return c.WriteMarkdown(v.stdout, first, second)
	}
	return nil
}

// judge returns an error with its exit status when a run is slower than the first by the limit,
// when that is not decided, or when they have nothing in common.
func (o comparison) judge(c *report.Comparison, first, second string) error {
	limit := float64(o.limit)
	switch judgement := c.Judge(limit); {
	case judgement == report.NothingInCommon:
		return statusError{statusNothing, fmt.Errorf("%s and %s have nothing in common: no point was measured in both; "+
			"measure the same preset or study", first, second)}
	case limit == 0:
		return nil
	case judgement == report.Slower:
		return statusError{statusSlower,
			fmt.Errorf("%s is slower than %s, and --fail-if-slower is %s", second, first, &o.limit)}
	case judgement == report.Undecided:
		return statusError{statusUndecided,
			fmt.Errorf("whether %s is slower than %s by %s is not decided; use --trials %d for both",
				second, first, &o.limit, c.TrialsToJudge(limit))}
	}
	return nil
}

// worst returns the errors together with the status of the worst: slower before not decided before
// nothing in common.
func worst(errs []error) error {
	all := errors.Join(errs...)
	if all == nil {
		return nil
	}
	status := statusNothing
	for _, err := range errs {
		if of, ok := errors.AsType[statusError](err); ok {
			status = min(status, of.status)
		}
	}
	return statusError{status, all}
}

// percent is a flag with a percentage, as a fraction.
type percent float64

// String returns the percentage, such as "3%"; nothing for 0, which is not given.
func (p *percent) String() string {
	if *p == 0 {
		return ""
	}
	return strconv.FormatFloat(100*float64(*p), 'g', 6, 64) + "%"
}

// Set parses a percentage above 0.
func (p *percent) Set(text string) error {
	number, found := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !found || err != nil || !(value > 0 && value < 1000) {
		return errors.New("it must be a percentage above 0, such as 3%")
	}
	*p = percent(value / 100)
	return nil
}

// Type names the form of the value.
func (p *percent) Type() string { return "percentage" }
