package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"vllmgo/vllmgo"
)

// Settings are what a run is made of.
type Settings struct {
	// Dir is the results directory, made when it does not exist. Required; it must hold no journal.
	Dir string
	// Open loads an engine. Required.
	Open OpenFunc
	// EngineArgs are the settings common to all engines. Each study adds its max_num_batched_tokens and
	// max_num_seqs and switches prefix caching off; on a CPU, Run adds the KV cache's size, unless
	// KVCacheMemoryBytes is set.
	EngineArgs vllmgo.EngineArgs
	// ModelConfig is the model's configuration. Needed when Device is "cpu".
	ModelConfig vllmgo.ModelConfig
	// Device is the platform, "cpu", "cuda", …, as vllmgo.DetectDevice tells it.
	Device string
	// Vocabulary is what prompts are drawn from. Required.
	Vocabulary Vocabulary
	// Studies are what to measure. Required.
	Studies []Study
	// Trials is the number of trials of each point; 0 means 1.
	Trials int
	// Seed is what prompts are drawn from.
	Seed uint64

	// ModelName is the model's name in tables; empty means EngineArgs.Model.
	ModelName string
	// RandomWeights marks every table, file and plot as measured with random weights.
	RandomWeights bool
	// Preset is the name of the preset that Studies came from, for tables.
	Preset string
	// Command is the command line, for the record.
	Command []string
	// Progress is told how far the run is, with an ETA; nil means nobody.
	Progress io.Writer
}

// Run measures every point of the studies and writes the journal into the results directory.
//
// A point that fails, or whose engine does not open, is in the journal with its reason, and Run goes on. An
// engine that died fails the rest of its points the same way. Run returns an error when the settings are
// incomplete, when the journal cannot be written, and, once ctx is cancelled, the cause: it then stops at
// once and closes the engine, and the journal holds what was measured.
func Run(ctx context.Context, s Settings) (err error) {
	if err := s.complete(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("bench: making the results directory: %w", err)
	}
	journal, err := createJournal(filepath.Join(s.Dir, JournalName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.close()) }()
	if err := journal.append(record{Header: s.header()}); err != nil {
		return err
	}

	r := runner{Settings: s, journal: journal, progress: newProgress(s.Progress)}
	groups := groupByEngine(s.Studies, s.EngineArgs)
	r.progress.eta.loads = len(groups)
	for _, g := range groups {
		for _, p := range g.points {
			steps, tokens := trialWork(p, g.args.MaxNumSeqs)
			r.progress.eta.steps += float64(s.Trials) * steps
			r.progress.eta.tokens += float64(s.Trials) * tokens
			r.progress.trials += s.Trials
		}
	}
	for i, g := range groups {
		if err := r.runEngine(ctx, i+1, len(groups), g); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// complete checks the settings and fills in defaults.
func (s *Settings) complete() error {
	switch {
	case s.Dir == "":
		return errors.New("bench: Settings.Dir is empty")
	case s.Open == nil:
		return errors.New("bench: Settings.Open is nil")
	case s.Vocabulary.Size() == 0:
		return errors.New("bench: Settings.Vocabulary is empty")
	case len(s.Studies) == 0:
		return errors.New("bench: Settings.Studies is empty")
	case s.Trials < 0:
		return fmt.Errorf("bench: Settings.Trials is %d", s.Trials)
	}
	for _, study := range s.Studies {
		if study.MaxNumSeqs < 1 || study.MaxNumBatchedTokens < 1 {
			return fmt.Errorf("bench: study %s has max_num_seqs %d and max_num_batched_tokens %d; each must be at least 1",
				study.Name, study.MaxNumSeqs, study.MaxNumBatchedTokens)
		}
	}
	if s.Trials == 0 {
		s.Trials = 1
	}
	if s.ModelName == "" {
		s.ModelName = s.EngineArgs.Model
	}
	return nil
}

func (s Settings) header() *Header {
	return &Header{
		Schema:        JournalSchema,
		Started:       time.Now().UTC(),
		Command:       s.Command,
		Model:         s.ModelName,
		RandomWeights: s.RandomWeights,
		Preset:        s.Preset,
		Seed:          s.Seed,
		Vocabulary:    s.Vocabulary.Size(),
		Trials:        s.Trials,
		Device:        s.Device,
		EngineArgs:    s.EngineArgs,
		EngineMode:    s.EngineArgs.EngineMode,
		Machine:       describeMachine(),
		Studies:       s.Studies,
	}
}

// group is the points that share an engine.
type group struct {
	args   vllmgo.EngineArgs
	points []Point
}

// groupByEngine collects the points of all studies by engine settings, in order of first appearance.
func groupByEngine(studies []Study, base vllmgo.EngineArgs) []group {
	var groups []group
	for _, study := range studies {
		args := study.engineArgs(base)
		i := 0
		for i < len(groups) && !reflect.DeepEqual(groups[i].args, args) {
			i++
		}
		if i == len(groups) {
			groups = append(groups, group{args: args})
		}
		groups[i].points = append(groups[i].points, study.Points...)
	}
	return groups
}

// runner is a run under way.
type runner struct {
	Settings
	journal  *journalWriter
	progress *progress
}

// runEngine opens an engine, measures its points, and closes it. The error is the journal's; what fails
// otherwise is in the journal, except that cancelling ctx just ends it.
func (r *runner) runEngine(ctx context.Context, number, engines int, g group) (err error) {
	args := fmt.Sprintf("max_num_batched_tokens %d, max_num_seqs %d", g.args.MaxNumBatchedTokens, g.args.MaxNumSeqs)
	r.progress.line("engine %d of %d: loading %s (%s) …", number, engines, r.ModelName, args)
	engine, rec, err := r.open(ctx, g)
	r.progress.eta.loads--
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		r.progress.line("engine %d of %d: did not open: %v", number, engines, err)
		return r.failAll(number, g, fmt.Errorf("the engine did not open: %w", err))
	}
	defer func() {
		if closeErr := engine.Close(); closeErr != nil {
			r.progress.line("engine %d of %d: did not close: %v", number, engines, closeErr)
			reason := fmt.Sprintf("the engine did not close: %v", closeErr)
			err = errors.Join(err, r.journal.append(record{Failure: &Failure{Engine: number, Reason: reason}}))
		}
	}()
	r.progress.eta.load = rec.LoadTime
	r.progress.line("engine %d of %d: loaded in %s s", number, engines, formatSeconds(rec.LoadTime))
	rec.Number = number
	if err := r.journal.append(record{Engine: rec}); err != nil {
		return err
	}

	for trial := range r.Trials {
		for _, p := range g.points {
			if err := r.runPoint(ctx, engine, rec, p, trial+1); err != nil || ctx.Err() != nil {
				return err
			}
		}
	}
	return nil
}

// open loads an engine and measures what that costs.
func (r *runner) open(ctx context.Context, g group) (Engine, *EngineRecord, error) {
	var rec EngineRecord
	if r.Device == "cpu" {
		available, err := availableMemory()
		if err != nil {
			return nil, nil, err
		}
		g.args, rec.Notice, err = planCPUCache(g.args, g.points, r.ModelConfig, available, os.Getenv(kvSpaceVariable))
		if err != nil {
			return nil, nil, err
		}
		r.progress.line("%s", rec.Notice)
	}
	hostBefore, err := hostMemory()
	if err != nil {
		return nil, nil, err
	}
	gpuBefore := gpuMemory()
	start := time.Now()
	engine, err := r.Open(ctx, g.args)
	if err != nil {
		return nil, nil, err
	}
	rec.LoadTime = time.Since(start)
	hostAfter, err := hostMemory()
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	rec.HostMemory = hostAfter - hostBefore
	if gpuAfter := gpuMemory(); gpuBefore != nil && gpuAfter != nil {
		rec.GPUMemory = new(*gpuAfter - *gpuBefore)
	}
	rec.Args = g.args
	rec.Info = engine.Info()
	return engine, &rec, nil
}

// runPoint measures a point once. The error is the journal's.
func (r *runner) runPoint(ctx context.Context, engine Engine, rec *EngineRecord, p Point, trial int) error {
	t, err := r.measure(ctx, engine, rec, p, trial)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		r.progress.trialDone(p, rec.Args.MaxNumSeqs, "failed: "+firstLine(err))
		return r.journal.append(record{Failure: &Failure{Engine: rec.Number, Point: &p, Trial: trial, Reason: err.Error()}})
	}
	t.Trial = trial
	t.Engine = rec.Number
	t.PeakKVTokens = PeakKVTokens(p, rec.Args.MaxNumSeqs, rec.Info.BlockSize)
	if rec.Info.KVCacheTokens < t.PeakKVTokens {
		t.Notes = append(t.Notes, fmt.Sprintf("possibly preempted: the KV cache holds %d tokens, the point's peak demand is %d",
			rec.Info.KVCacheTokens, t.PeakKVTokens))
	}
	r.progress.trialDone(p, rec.Args.MaxNumSeqs, fmt.Sprintf("%s generated tok/s, %s s",
		formatRate(p.generatedPerSecond(t.Elapsed)), formatSeconds(t.Elapsed)))
	return r.journal.append(record{Trial: &t})
}

func (r *runner) measure(ctx context.Context, engine Engine, rec *EngineRecord, p Point, trial int) (Trial, error) {
	if p.InputLen+p.OutputLen > rec.Info.MaxModelLen {
		return Trial{}, fmt.Errorf("a sequence of %d input and %d output tokens exceeds the engine's max_model_len of %d",
			p.InputLen, p.OutputLen, rec.Info.MaxModelLen)
	}
	workload, err := r.Vocabulary.Workload(p, trial, r.Seed)
	if err != nil {
		return Trial{}, err
	}
	r.progress.status("[%d/%d] %s: %s …", r.progress.done+1, r.progress.trials, p, p.shape())
	params := samplingParams(p.OutputLen, !r.EngineArgs.SkipTokenizerInit)
	return runTrial(ctx, engine, p, workload, params, func(requests int, elapsed time.Duration) {
		steps, tokens := work(requests, p, rec.Args.MaxNumSeqs)
		r.progress.eta.observe(steps, tokens, elapsed)
	})
}

// failAll records a failure of every point of a group.
func (r *runner) failAll(number int, g group, reason error) error {
	for _, p := range g.points {
		failure := Failure{Engine: number, Point: &p, Reason: reason.Error()}
		if err := r.journal.append(record{Failure: &failure}); err != nil {
			return err
		}
		for range r.Trials {
			r.progress.trialDone(p, g.args.MaxNumSeqs, "failed")
		}
	}
	return nil
}
