package race

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"vllmgo/bench/internal/machine"
	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/internal/child"
	"vllmgo/internal/plain"
	"vllmgo/vllmgo"
)

//go:embed tokenizer.py
var tokenizerScript string

// prepared is a race on a model that was found.
type prepared struct {
	Settings
	dir     string
	studies []workload.Study
	// args are the settings of all engines, apart from those of the studies and of contenders. They
	// have an EngineMode.
	args     vllmgo.EngineArgs
	config   vllmgo.ModelConfig
	device   string // as for bench.Run
	requests workload.Requests
	// python is the path of the Python that has vLLM.
	python string
	// tokenizer is the tokenizer of contenders that need one when the model has none.
	tokenizer string
	// The model's name, whether its weights are random, and the name of the points' preset.
	model         string
	randomWeights bool
	preset        string
	progress      io.Writer
}

// prepare finds the model and chooses what the settings leave open. It loads no engine. cleanup
// removes what it made on disk.
func (s Settings) prepare(ctx context.Context) (p prepared, cleanup func(), err error) {
	if s.VLLM.EngineArgs.GPUMemoryUtilization == 0 {
		s.VLLM.EngineArgs.GPUMemoryUtilization = 0.90 / float64(len(s.Contenders))
	}
	run, removeModel, err := vllm.Prepare(ctx, s.VLLM)
	if err != nil {
		return prepared{}, removeModel, err
	}
	p = prepared{
		Settings: s, dir: run.Dir, args: run.EngineArgs, config: run.ModelConfig, device: run.Device,
		requests: run.Requests, model: run.ModelName, randomWeights: run.RandomWeights, preset: run.Preset,
		progress: plain.Writer(cmp.Or[io.Writer](run.Progress, io.Discard)),
	}
	if p.studies, err = chosen(run.Studies, s.Points); err != nil {
		return p, removeModel, err
	}
	for _, study := range p.studies {
		for _, point := range study.Points {
			if err := run.CheckLengths(point); err != nil {
				return p, removeModel, fmt.Errorf("race: %s: %w", point, err)
			}
		}
	}
	if p.args.EngineMode, err = vllmgo.ResolveEngineMode(ctx, p.args.EngineMode); err != nil {
		return p, removeModel, err
	}
	if p.python, err = vllmgo.Python(); err != nil {
		return p, removeModel, err
	}
	removeTokenizer, err := p.makeTokenizer(ctx)
	return p, func() { removeTokenizer(); removeModel() }, err
}

// makeTokenizer makes a tokenizer for contenders that need one, when the model has none. It has as
// many words as the model has token IDs. The function remove removes it.
func (p *prepared) makeTokenizer(ctx context.Context) (remove func(), err error) {
	needed := slices.ContainsFunc(p.Contenders, func(c Contender) bool { return c.Kind.needsTokenizer() })
	if !needed || !p.args.SkipTokenizerInit {
		return func() {}, nil
	}
	if p.tokenizer, err = os.MkdirTemp("", "vllmgo-tokenizer-"); err != nil {
		return func() {}, err
	}
	remove = func() { _ = os.RemoveAll(p.tokenizer) }
	size := strconv.Itoa(p.config.VocabSize)
	if _, err = child.Output(ctx, exec.Command(p.python, "-c", tokenizerScript, p.tokenizer, size)); err != nil {
		err = fmt.Errorf("race: making a tokenizer: %w", err)
	}
	return remove, err
}

// header returns the first line of the race's journal.
func (p prepared) header() Header {
	args := p.args
	args.Model = p.model // the folder of a built-in shape differs each time
	return Header{
		Schema: schema, Started: time.Now().UTC(), Command: p.VLLM.Command, Model: p.model,
		RandomWeights: p.randomWeights, Preset: p.preset, Device: p.device, Contenders: p.Contenders,
		Seed: p.requests.Seed, Rounds: p.Rounds, ProcessRounds: p.ProcessRounds, Reload: p.Reload,
		EngineArgs: args, Studies: p.studies, Machine: machine.Describe(),
	}
}

// logPath returns the path of the file with the output of a contender's processes. Engine groups
// count from 1.
func (p prepared) logPath(c Contender, group int) string {
	return filepath.Join(p.dir, fmt.Sprintf("%s-%d.log", c.Name, group))
}

// ErrNoPoint means that the studies lack one of [Settings].Points.
var ErrNoPoint = errors.New("no study has the point")
