package vllm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/plain"
	"vllmgo/vllmgo"
)

// Prepare returns the settings with which bench.Run measures s in this process. It finds the model,
// chooses what s leaves open, and refuses engine settings that cannot work. It loads no engine.
// cleanup removes what it made on disk; it is not nil.
func Prepare(ctx context.Context, s Settings) (prepared bench.Settings, cleanup func(), err error) {
	p := &preparation{Settings: s, lib: s.Library.complete(), log: plain.Writer(cmp.Or[io.Writer](s.Progress, io.Discard))}
	cleanup = func() { p.model.remove() }
	defer func() {
		if err != nil {
			cleanup()
			cleanup = func() {}
		}
	}()
	steps := []func(context.Context) error{p.chooseDefaults, p.chooseModel, p.chooseRequests, p.chooseStudies}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return p.out, cleanup, err
		}
	}
	return p.out, cleanup, nil
}

// preparation is a call of Prepare under way.
type preparation struct {
	Settings
	lib       Library
	log       io.Writer
	model     model
	tokenizer workload.Tokenizer // nil: the model has none
	out       bench.Settings
}

// chooseDefaults chooses what depends on the device and the preset.
func (p *preparation) chooseDefaults(ctx context.Context) error {
	device, err := p.lib.DetectDevice(ctx)
	if err != nil {
		return err
	}
	switch {
	case p.Repeat != nil:
		p.likeRepeat()
	case p.Studies != nil && p.Preset == "":
		p.Preset = "none"
	case p.Preset == "" && device == "cpu":
		p.Preset = workload.PresetQuick
	case p.Preset == "":
		p.Preset = workload.PresetFull
	}
	if p.WarmUp == "" && p.Preset == workload.PresetNotebook && p.Repeat == nil {
		p.WarmUp = journal.WarmUpNotebook
	}
	p.out = bench.Settings{
		Dir:    p.Dir,
		Resume: p.Resume,
		Device: device,
		Open:   p.lib.Open,
		Stopping: stopping(
			p.Stopping,
			p.Preset,
		),
		WarmUp:   p.WarmUp,
		Cold:     p.Cold,
		Timeout:  p.Timeout,
		Latency:  p.Latency,
		Goodput:  p.Goodput,
		Preset:   p.Preset,
		Command:  p.Command,
		Progress: p.Progress,
	}
	return nil
}

// likeRepeat takes from the run that is repeated what its requests depend on, and what the settings
// leave open.
func (p *preparation) likeRepeat() {
	h := p.Repeat.Header
	p.Preset, p.Seed, p.Text = h.Preset, h.Seed, h.Text
	p.WarmUp = cmp.Or(p.WarmUp, h.WarmUp)
	if p.Stopping == (stat.Stopping{}) && h.Stopping.MinTrials == h.Stopping.MaxTrials {
		p.Stopping = h.Stopping
	}
	args := &p.EngineArgs
	args.Model = cmp.Or(args.Model, h.Model)
	args.Dtype = cmp.Or(args.Dtype, h.EngineArgs.Dtype)
	args.TensorParallelSize = cmp.Or(args.TensorParallelSize, h.EngineArgs.TensorParallelSize)
	args.DataParallelSize = cmp.Or(args.DataParallelSize, h.EngineArgs.DataParallelSize)
	args.EngineMode = cmp.Or(args.EngineMode, h.EngineMode)
}

// chooseModel finds the model and completes the engine's settings.
func (p *preparation) chooseModel(ctx context.Context) (err error) {
	if p.model, err = findModel(ctx, cmp.Or(p.EngineArgs.Model, DefaultModel), p.log, p.lib); err != nil {
		return err
	}
	args := p.model.apply(p.EngineArgs)
	args.Dtype = cmp.Or(args.Dtype, "auto")
	args.GPUMemoryUtilization = cmp.Or(args.GPUMemoryUtilization, 0.90)
	args.EnforceEager = args.EnforceEager || p.out.Device == "cpu"
	config, err := p.lib.LoadConfig(ctx, args)
	if err != nil {
		return err
	}
	if args.Dtype == "auto" && p.out.Device == "cpu" && config.Dtype == "float16" && !p.lib.HasFloat16() {
		fmt.Fprintln(p.log, "dtype bfloat16 instead of the model's float16, for which this processor has no arithmetic "+
			"(set dtype to float16 to keep it)")
		args.Dtype, config.Dtype = "bfloat16", "bfloat16"
	}
	p.out.EngineArgs, p.out.ModelConfig, p.out.ModelSize = args, config, ModelSize(config)
	p.out.ModelName, p.out.RandomWeights = p.model.name, p.model.randomWeights
	p.out.Limits = func(ctx context.Context) (journal.Limits, error) {
		return p.lib.Limits(ctx, p.out.Device, config.Dtype)
	}
	return nil
}

// chooseRequests chooses the vocabulary: the token IDs that both the tokenizer and the model know,
// without the special IDs of either. A model without a tokenizer has the vocabulary of its
// configuration, and its engine loads no tokenizer.
func (p *preparation) chooseRequests(ctx context.Context) (err error) {
	config := p.out.ModelConfig
	p.out.Requests = workload.Requests{Seed: p.Seed, TokenizerName: p.model.name}
	if !p.out.EngineArgs.SkipTokenizerInit {
		p.tokenizer, err = p.lib.LoadTokenizer(ctx, p.out.EngineArgs)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			fmt.Fprintf(p.log, "no tokenizer (%v): token IDs come from the model's configuration\n", err)
			p.tokenizer, p.out.EngineArgs.SkipTokenizerInit = nil, true
		}
	}
	size, special := config.VocabSize, config.SpecialTokenIDs
	if p.tokenizer != nil {
		t := p.tokenizer
		size, special = min(t.VocabSize(), size), slices.Concat(t.SpecialTokenIDs(), t.MissingTokenIDs(), special)
	}
	if p.out.Requests.Vocabulary, err = workload.NewVocabulary(size, special); err != nil {
		return err
	}
	if p.Text {
		if p.tokenizer == nil {
			return fmt.Errorf("prompts as text need a tokenizer, and %s has none here", p.model.name)
		}
		p.out.Requests.Tokenizer = p.tokenizer
	}
	return nil
}

// chooseStudies chooses the points, and refuses those whose engine settings cannot work.
func (p *preparation) chooseStudies(ctx context.Context) error {
	if p.Repeat != nil {
		return p.repeat(ctx)
	}
	studies := p.Studies
	if studies == nil {
		var err error
		if studies, err = workload.Preset(p.Preset); err != nil {
			return err
		}
		if p.Sweeps != nil {
			studies = slices.DeleteFunc(studies, func(s workload.Study) bool { return !slices.Contains(p.Sweeps, s.Sweep) })
			if len(studies) == 0 {
				return fmt.Errorf("the preset %s has none of the sweeps %v", p.Preset, p.Sweeps)
			}
		}
	}
	if p.Plan != nil {
		var err error
		if studies, err = p.Plan(ctx, studies, p.tokenizer); err != nil {
			return err
		}
	}
	p.out.Studies = studies
	return p.checkEngines(ctx)
}

// repeat takes the points and the vocabulary of the run that is repeated.
func (p *preparation) repeat(ctx context.Context) error {
	h := p.Repeat.Header
	p.out.Studies, p.out.Expect, p.out.Requests.Vocabulary = h.Studies, p.Repeat.PromptHashes(), h.Vocabulary
	if highest := h.Vocabulary.Highest(); int(highest) >= p.out.ModelConfig.VocabSize {
		return fmt.Errorf(
			"the run that is repeated has token IDs up to %d, and %s knows only %d",
			highest,
			p.model.name,
			p.out.ModelConfig.VocabSize,
		)
	}
	return p.checkEngines(ctx)
}

// checkEngines refuses engine settings of points that cannot work, such as a tensor_parallel_size
// that does not divide the model, before the first engine is loaded. It notes how long sequences
// may be. In a run that is repeated, such points fail by themselves.
func (p *preparation) checkEngines(ctx context.Context) error {
	if len(p.out.Studies) == 0 {
		return errors.New("there is nothing to measure: no study is left")
	}
	p.out.MaxModelLen = make(map[workload.PointID]int)
	for _, study := range p.out.Studies {
		if err := study.Validate(); err != nil {
			return err
		}
		for _, point := range study.Points {
			config := p.out.ModelConfig
			if len(point.Set.Engine) > 0 { // else as EngineArgs, which were checked
				args, err := study.EngineArgs(p.out.EngineArgs, point)
				if err == nil {
					config, err = p.lib.LoadConfig(ctx, args)
				}
				switch {
				case ctx.Err() != nil:
					return context.Cause(ctx)
				case err != nil && p.Repeat == nil:
					return fmt.Errorf("%s: %w", point, err)
				case err != nil:
					continue
				}
			}
			p.out.MaxModelLen[point.ID()] = config.MaxModelLen
		}
	}
	return nil
}

// VerifyRequests draws the requests of all trials of a run again and compares them with its
// journal; see [journal.Journal.VerifyRequests]. When the prompts were texts, it loads the model's
// tokenizer, of the run's own model when modelName is empty. It needs no vLLM when they were token
// IDs.
func VerifyRequests(ctx context.Context, j *journal.Journal, modelName string, lib Library) (trials int, err error) {
	if !j.Header.Text {
		return j.VerifyRequests(ctx, nil)
	}
	lib = lib.complete()
	m, err := findModel(ctx, cmp.Or(modelName, j.Header.Model), io.Discard, lib)
	if err != nil {
		return 0, err
	}
	defer m.remove()
	tokenizer, err := lib.LoadTokenizer(ctx, m.apply(vllmgo.EngineArgs{}))
	if err != nil {
		return 0, err
	}
	return j.VerifyRequests(ctx, tokenizer)
}
