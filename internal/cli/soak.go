package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/internal/machine"
)

// soakWindows is the number of parts of a soak test.
const soakWindows = 20

func (v *vllmbench) soakCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "soak",
		Short: "Send many requests through an engine, and watch throughput and memory",
		Long: `Soak sends requests through an engine as a sequence: they are drawn when the engine can take them, and each output is checked
and dropped when it comes. The table has throughput and memory for each twentieth of the requests.`,
		Example: `  vllmbench soak                       # 100,000 requests of 128 input and 8 output tokens
  vllmbench soak --requests 1000000 --set max_num_batched_tokens=16384 --out results/soak   # results/soak/soak.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.out == "" {
				o.out = filepath.Join("results", "soak-"+time.Now().Format("20060102T150405"))
			}
			o.name = "soak"
			if err := o.check(); err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(o.out, journal.SoakFileName)); err == nil {
				return fmt.Errorf("--out is %s, which holds another soak test's results; choose another folder", o.out)
			}
			if o.requests < soakWindows {
				return fmt.Errorf("--requests is %d; it must be at least %d", o.requests, soakWindows)
			}
			v.status = status(c.Context(), v.args, v.stderr, v.soak(c.Context(), o))
			return nil
		},
	}
	addFlags(c, &o)
	f := c.Flags()
	f.IntVar(&o.requests, "requests", 100_000, "how many requests")
	f.StringVar(&o.inputLen, "input-len", "128", "length of prompts: a number, uniform:LOW,HIGH, normal:MEAN,SD or lognormal:MEDIAN,SIGMA")
	f.StringVar(&o.outputLen, "output-len", "8", "length of outputs, likewise")
	f.StringArrayVar(&o.set, "set", nil, "what to set, NAME=VALUE; repeatable")
	for _, name := range []string{"preset", "trials", "target", "budget", "warmup", "timeout", "cold", "resume"} {
		_ = f.MarkHidden(name) // what a soak test has no use for
	}
	return c
}

// soak runs a soak test and prints its table: of the windows that ended, when it fails.
func (v *vllmbench) soak(ctx context.Context, o options) (err error) {
	settings, cleanup, err := prepare(ctx, o, v.stderr, v.lib, nil, nil)
	if err != nil {
		return err
	}
	defer cleanup()
	groups, err := bench.EngineGroups(settings.Studies, settings.EngineArgs, settings.Device, settings.ModelConfig)
	if err != nil {
		return err
	}
	if groups[0].Env != nil {
		return errors.New("soak: set environment variables in the environment")
	}
	fmt.Fprintf(v.stderr, "loading %s …\n", settings.ModelName)
	opened, err := v.lib.open(ctx, groups[0].Args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	engine, ok := opened.(bench.SeqEngine)
	if !ok {
		return errors.New("soak: the engine takes no sequences")
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	point := groups[0].Points[0]
	w, err := journal.CreateSoak(filepath.Join(o.out, journal.SoakFileName), journal.SoakHeader{
		Started: time.Now().UTC(), Command: v.args, Model: settings.ModelName, RandomWeights: settings.RandomWeights,
		Engine: engine.Info(), Point: point, Seed: o.seed, Machine: machine.Describe(),
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
	return errors.Join(err, soakReport(o.out, v.stdout))
}

// soakReport prints a soak test's table and writes it into a file, from the journal in its directory.
func soakReport(dir string, stdout io.Writer) error {
	soak, err := journal.ReadSoak(filepath.Join(dir, journal.SoakFileName))
	if err != nil {
		return err
	}
	h := soak.Header
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\nvLLM %s, torch %s, Python %s, max_num_seqs %d, max_num_batched_tokens %d\n", strings.Join(h.Command, " "), h.Machine,
		h.Engine.VLLMVersion, h.Engine.TorchVersion, h.Engine.PythonVersion, h.Engine.MaxNumSeqs, h.Engine.MaxNumBatchedTokens)
	err = report.WriteSoak(&b, fmt.Sprintf("Soak, %s: %s, dtype %s, %s, TP %d, engine %s", h.Point.Shape(), report.ModelTitle(h.Model, h.RandomWeights),
		h.Engine.Dtype, h.Engine.Device, h.Engine.TensorParallelSize, h.Engine.EngineMode), soak.Windows)
	if soak.End != nil {
		fmt.Fprintf(&b, "all outputs are what was asked for; SHA-256 of the prompts %s\n", soak.End.PromptsSHA256)
	}
	_, printErr := fmt.Fprint(stdout, b.String())
	return errors.Join(err, printErr, os.WriteFile(filepath.Join(dir, "soak.txt"), []byte(b.String()), 0o644))
}
