package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"vllmgo/bench/report"
	"vllmgo/bench/vllm"
)

// soakWindows is the number of windows of a soak test.
const soakWindows = 20

func (v *vllmbench) soakCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "soak",
		Short: "Send many requests through an engine, and watch throughput and memory",
		Long: `Soak sends requests through an engine in one sequence: they are drawn when the
engine can take them, and each output is checked and dropped when it comes. The
table has throughput and memory for each twentieth of the requests.`,
		Example: `  vllmbench soak  # 100,000 requests of 128 input and 8 output tokens
  vllmbench soak --requests 1000000 --set max_num_batched_tokens=16384`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.study.name = "soak"
			if err := errors.Join(o.check(c.Flags()), o.study.checkNoEnv("set it in the environment")); err != nil {
				return err
			}
			n := o.study.requests
			if o.study.custom() {
				n = o.study.shape.Points[0].Requests // after --set
			}
			if n < soakWindows {
				return usagef("--requests is %d; it must be at least %d", n, soakWindows)
			}
			s := o.settings()
			s.Dir = o.folder("soak-")
			return v.soak(c.Context(), s)
		},
	}
	f := c.Flags()
	o.addFlags(f)
	f.IntVar(&o.study.requests, "requests", 100_000, "`number` of requests")
	o.study.addLengthFlags(f, "8")
	o.study.addSetFlag(f)
	return c
}

// soak runs a soak test and prints its report. When the test fails, the report has the windows that
// ended.
func (v *vllmbench) soak(ctx context.Context, s vllm.Settings) error {
	s.Command, s.Progress, s.Library = v.args, v.stderr, v.library
	done, err := makeFolder(s.Dir)
	if err != nil {
		return err
	}
	defer done()
	err = vllm.Soak(ctx, s, soakWindows)
	if errors.Is(err, vllm.ErrInUse) {
		return usagef("--out is %s, which holds another soak test's results; choose another folder", s.Dir)
	}
	return withReport(err, v.soakReport(s.Dir))
}

// soakReport prints the report of a soak test and writes it into a file, from the journal in its
// folder.
func (v *vllmbench) soakReport(dir string) error {
	soak, err := report.PublishSoak(dir, v.stdout)
	if soak != nil {
		v.noteUnverified(dir, soak.Unverified)
	}
	if err == nil && soak.End == nil {
		err = errors.New("the soak test did not come to its end")
	}
	return err
}
