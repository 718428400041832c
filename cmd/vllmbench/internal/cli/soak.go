package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/vllm"
	"vllmgo/internal/machine"
)

// soakWindows is the number of windows of a soak test.
const soakWindows = 20

func (v *vllmbench) soakCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "soak",
		Short: "Send many requests through an engine, and watch throughput and memory",
		Long: `Soak sends requests through an engine in one sequence: they are drawn when the engine can take them,
and each output is checked and dropped when it comes. The table has throughput and memory for each
twentieth of the requests.`,
		Example: `  vllmbench soak                       # 100,000 requests of 128 input and 8 output tokens
  vllmbench soak --requests 1000000 --set max_num_batched_tokens=16384 --out results/soak   # results/soak/soak.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.study.name = "soak"
			if err := errors.Join(o.check(), o.study.checkNoEnv("set it in the environment")); err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(o.out, journal.SoakFileName)); err == nil && o.out != "" {
				return usagef("--out is %s, which holds another soak test's results; choose another folder", o.out)
			}
			if o.study.requests < soakWindows {
				return usagef("--requests is %d; it must be at least %d", o.study.requests, soakWindows)
			}
			return v.soak(c.Context(), o.settings(), o.folder("soak-"))
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
func (v *vllmbench) soak(ctx context.Context, s vllm.Settings, dir string) (err error) {
	s.Command, s.Progress, s.Library = v.args, v.stderr, v.library
	settings, cleanup, err := vllm.Prepare(ctx, s)
	defer cleanup()
	if err != nil {
		return err
	}
	groups, err := bench.EngineGroups(settings.Studies, settings.EngineArgs, settings.Device, settings.ModelConfig)
	if err != nil {
		return err
	}
	fmt.Fprintf(v.stderr, "loading %s …\n", settings.ModelName)
	opened, err := settings.Open(ctx, groups[0].Args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	engine, ok := opened.(bench.SeqEngine)
	if !ok {
		return errors.New("soak: the engine takes no sequences")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	point := groups[0].Points[0]
	w, err := journal.CreateSoak(filepath.Join(dir, journal.SoakFileName), journal.SoakHeader{
		Started: time.Now().UTC(), Command: v.args, Model: settings.ModelName, RandomWeights: settings.RandomWeights,
		Engine: engine.Info(), Point: point, Seed: s.Seed, Machine: machine.Describe(),
	})
	if err != nil {
		return err
	}
	defer w.Close()
	sum, err := bench.Soak(ctx, engine, bench.SoakSettings{
		Point: point, Requests: settings.Requests, Windows: soakWindows,
		Window: func(window journal.SoakWindow) error {
			fmt.Fprintf(v.stderr, "%d of %d requests\n", window.Requests, point.Requests)
			return w.Append(journal.SoakRecord{Window: &window})
		},
	})
	if err == nil {
		err = w.Append(journal.SoakRecord{End: &journal.SoakEnd{PromptsSHA256: sum}})
	}
	return errors.Join(err, v.soakReport(dir))
}

// soakReport prints the report of a soak test and writes it into a file, from the journal in its
// folder.
func (v *vllmbench) soakReport(dir string) error {
	soak, err := journal.ReadSoak(filepath.Join(dir, journal.SoakFileName))
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := report.WriteSoak(&b, soak); err != nil {
		return err
	}
	_, err = fmt.Fprint(v.stdout, b.String())
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "soak.txt"), []byte(b.String()), 0o644))
}
