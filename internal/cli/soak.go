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
	"vllmgo/vllmgo"
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
  vllmbench soak --requests 1000000 --set max_num_batched_tokens=16384 --out results/soak`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.out == "" {
				o.out = filepath.Join("results", "soak-"+time.Now().Format("20060102T150405"))
			}
			o.name = "soak"
			if err := o.check(); err != nil {
				return err
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
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	journal, err := os.OpenFile(filepath.Join(o.out, "soak.jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer journal.Close()
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
	info, point := engine.Info(), groups[0].Points[0]
	err = bench.AppendLine(journal, map[string]any{"header": struct {
		Started time.Time     `json:"started"`
		Command []string      `json:"command"`
		Model   string        `json:"model"`
		Random  bool          `json:"random_weights"`
		Engine  vllmgo.Info   `json:"engine"`
		Point   bench.Point   `json:"point"`
		Seed    uint64        `json:"seed"`
		Machine bench.Machine `json:"machine"`
	}{time.Now().UTC(), v.args, settings.ModelName, settings.RandomWeights, info, point, o.seed, bench.DescribeMachine()}})
	if err != nil {
		return err
	}
	var windows []bench.SoakWindow
	sum, soakErr := bench.Soak(ctx, engine, bench.SoakSettings{
		Point: point, Requests: settings.Requests, Windows: soakWindows,
		Window: func(w bench.SoakWindow) error {
			windows = append(windows, w)
			fmt.Fprintf(v.stderr, "%d of %d requests\n", w.Requests, point.Requests)
			return bench.AppendLine(journal, map[string]any{"window": w})
		},
	})
	var report strings.Builder
	weights := ""
	if settings.RandomWeights {
		weights = ", random weights"
	}
	fmt.Fprintf(&report, "%s\n%s\nvLLM %s, torch %s, Python %s, max_num_seqs %d, max_num_batched_tokens %d\n", strings.Join(v.args, " "), bench.DescribeMachine(),
		info.VLLMVersion, info.TorchVersion, info.PythonVersion, info.MaxNumSeqs, info.MaxNumBatchedTokens)
	err = bench.WriteSoak(&report, fmt.Sprintf("%d requests of %s input and %s output tokens: %s%s, dtype %s, %s, TP %d, engine %s", point.Requests, o.inputLen, o.outputLen,
		settings.ModelName, weights, info.Dtype, info.Device, info.TensorParallelSize, info.EngineMode), windows)
	if soakErr == nil {
		fmt.Fprintf(&report, "all outputs are what was asked for; SHA-256 of the prompts %s\n", sum)
		err = errors.Join(err, bench.AppendLine(journal, map[string]any{"end": map[string]string{"prompts_sha256": sum}}))
	}
	_, writeErr := fmt.Fprint(v.stdout, report.String())
	return errors.Join(soakErr, err, writeErr, os.WriteFile(filepath.Join(o.out, "soak.txt"), []byte(report.String()), 0o644))
}
