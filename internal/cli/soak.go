package cli

import (
	"context"
	"encoding/json"
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
	"vllmgo/bench/workload"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

const (
	// soakWindows is the number of parts of a soak test.
	soakWindows = 20
	// soakJournal is the name of the file that has them.
	soakJournal = "soak.jsonl"
)

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
			if _, err := os.Stat(filepath.Join(o.out, soakJournal)); err == nil {
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
	file, err := os.OpenFile(filepath.Join(o.out, soakJournal), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	point := groups[0].Points[0]
	err = journal.AppendLine(file, soakLine{Header: &soakHeader{
		Started: time.Now().UTC(), Command: v.args, Model: settings.ModelName, RandomWeights: settings.RandomWeights,
		Engine: engine.Info(), Point: point, Seed: o.seed, Machine: machine.Describe(),
	}})
	if err != nil {
		return err
	}
	sum, err := bench.Soak(ctx, engine, bench.SoakSettings{
		Point: point, Requests: settings.Requests, Windows: soakWindows,
		Window: func(w journal.SoakWindow) error {
			fmt.Fprintf(v.stderr, "%d of %d requests\n", w.Requests, point.Requests)
			return journal.AppendLine(file, soakLine{Window: &w})
		},
	})
	if err == nil {
		err = journal.AppendLine(file, soakLine{End: &soakEnd{PromptsSHA256: sum}})
	}
	return errors.Join(err, soakReport(o.out, v.stdout))
}

// soakLine is a line of a soak test's journal, which has one of its fields.
type soakLine struct {
	Header *soakHeader         `json:"header,omitempty"`
	Window *journal.SoakWindow `json:"window,omitempty"`
	End    *soakEnd            `json:"end,omitempty"`
}

type soakHeader struct {
	Started       time.Time       `json:"started"`
	Command       []string        `json:"command"`
	Model         string          `json:"model"`
	RandomWeights bool            `json:"random_weights"`
	Engine        vllmgo.Info     `json:"engine"`
	Point         workload.Point  `json:"point"`
	Seed          uint64          `json:"seed"`
	Machine       journal.Machine `json:"machine"`
}

type soakEnd struct {
	PromptsSHA256 string `json:"prompts_sha256"`
}

// soakReport prints a soak test's table and writes it into a file, from the journal in its directory.
func soakReport(dir string, stdout io.Writer) error {
	file, err := os.Open(filepath.Join(dir, soakJournal))
	if err != nil {
		return err
	}
	defer file.Close()
	var h soakHeader
	var end *soakEnd
	var windows []journal.SoakWindow
	for decoder := json.NewDecoder(file); ; {
		var line soakLine
		if err := decoder.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", file.Name(), err)
		}
		switch {
		case line.Header != nil:
			h = *line.Header
		case line.Window != nil:
			windows = append(windows, *line.Window)
		case line.End != nil:
			end = line.End
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\nvLLM %s, torch %s, Python %s, max_num_seqs %d, max_num_batched_tokens %d\n", strings.Join(h.Command, " "), h.Machine,
		h.Engine.VLLMVersion, h.Engine.TorchVersion, h.Engine.PythonVersion, h.Engine.MaxNumSeqs, h.Engine.MaxNumBatchedTokens)
	err = report.WriteSoak(&b, fmt.Sprintf("Soak, %s: %s, dtype %s, %s, TP %d, engine %s", h.Point.Shape(), report.ModelTitle(h.Model, h.RandomWeights),
		h.Engine.Dtype, h.Engine.Device, h.Engine.TensorParallelSize, h.Engine.EngineMode), windows)
	if end != nil {
		fmt.Fprintf(&b, "all outputs are what was asked for; SHA-256 of the prompts %s\n", end.PromptsSHA256)
	}
	_, printErr := fmt.Fprint(stdout, b.String())
	return errors.Join(err, printErr, os.WriteFile(filepath.Join(dir, "soak.txt"), []byte(b.String()), 0o644))
}
