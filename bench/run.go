package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"vllmgo/vllmgo"
)

// Settings are what a run is made of.
type Settings struct {
	// Dir is the results directory, made when it does not exist. Required; it must hold no journal, unless Resume is
	// set.
	Dir string
	// Resume continues the run whose journal Dir holds, if it does: no trial is repeated or lost. All other settings
	// must be as they were, and so must the machine.
	Resume bool
	// OneEngine loads one engine at most and leaves the rest of the run to a further call with Resume. With a process
	// for each call, even an engine that takes its process with it ends only the point under way; see
	// [RecordCrash].
	OneEngine bool
	// Latency also times each request, in passes of their own on further engines with statistics, which must be
	// [TimedEngine]s.
	Latency bool
	// Goodput are the limits that a request must keep to count as good.
	Goodput Goodput
	// Timeout is the longest that one pass may take; 0 means no limit. A point that takes longer fails, and the
	// others go on in a fresh engine.
	Timeout time.Duration
	// Open loads an engine. Required.
	Open OpenFunc
	// EngineArgs are the settings common to all engines. Each study adds its max_num_batched_tokens and
	// max_num_seqs and switches prefix caching off; on a CPU, Run adds the KV cache's size, unless
	// KVCacheMemoryBytes is set.
	EngineArgs vllmgo.EngineArgs
	// ModelConfig is the model's configuration. Needed when Device is "cpu".
	ModelConfig vllmgo.ModelConfig
	// ModelSize is the model's size, from which the speed of light is computed; nil when it is not known.
	ModelSize *ModelSize
	// Limits measures what the device is capable of, before an engine is loaded; nil when nobody can.
	Limits func(context.Context) (Limits, error)
	// Device is the platform, "cpu", "cuda", …, as vllmgo.DetectDevice tells it.
	Device string
	// Requests say what prompts are drawn from. Its Vocabulary is required.
	Requests Requests
	// Studies are what to measure. Required.
	Studies []Study
	// Stopping says how often each point is measured; the zero value means once.
	Stopping Stopping
	// WarmUp says how points are warmed up; empty means [WarmUpFull].
	WarmUp WarmUpMode
	// Ledger are the SHA-256 of the prompts of each point's trials, in order, in a run that this one repeats; see
	// [Journal.PromptHashes]. A point whose prompts are others fails. nil when there is no such run.
	Ledger PromptHashes
	// Cold puts the times after the notebook's warm-up beside the others in the tables.
	Cold bool

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
// All points of an engine are warmed up first. Then come rounds: each has one trial of every point that needs
// one, in random order, so that whatever changes with time changes all points alike.
//
// A point that fails is in the journal with its reason and has no further trials. When it failed because of
// an error of the engine's, the engine's other points go on in a fresh one. When an engine does not open, its
// points fail. Run returns an error when the settings are incomplete, when the journal cannot be written,
// and, once ctx is cancelled, the cause: it then stops at once and closes the engine, and the journal holds
// what was measured.
func Run(ctx context.Context, s Settings) (err error) {
	if err := s.complete(); err != nil {
		return err
	}
	journal, past, err := s.openJournal()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.close()) }()
	if past.Ended {
		return nil
	}

	all, err := groupByEngine(s.Studies, s.EngineArgs)
	if err != nil {
		return err
	}
	groups := unfinished(all, past)
	r := runner{Settings: s, journal: journal, past: past, progress: newProgress(s.Progress, groups, s.Stopping, past), engines: past.engines, before: past.engines, onGPUs: pids{}}
	if err := r.measureLimits(ctx); err != nil {
		return err
	}
	for i, g := range groups {
		if s.OneEngine && g.missing() != "" {
			return nil // for a process that has it
		}
		rest, err := r.runGroup(ctx, groups[i:])
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case s.OneEngine && (rest || i < len(groups)-1):
			return nil
		}
	}
	if s.Latency {
		if rest, err := r.latencies(ctx, all); rest || err != nil {
			return err
		}
	}
	return journal.append(record{End: &End{At: time.Now().UTC()}})
}

// latencies measures what is left of the latencies. rest says that OneEngine leaves some to another call.
func (r *runner) latencies(ctx context.Context, groups []EngineGroup) (rest bool, err error) {
	if r.past, err = ReadJournalFile(filepath.Join(r.Dir, JournalName)); err != nil {
		return false, err
	}
	loaded := r.engines > r.before
	for _, g := range groups {
		g.Points = slices.DeleteFunc(slices.Clone(g.Points), func(p Point) bool { return timed(r.past, p) })
		switch {
		case len(g.Points) == 0:
			continue
		case r.OneEngine && (loaded || g.missing() != ""):
			return true, nil
		}
		if err := r.runLatencies(ctx, g); err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		loaded = true
	}
	return false, nil
}

// complete checks the settings and fills in defaults.
func (s *Settings) complete() error {
	if s.Stopping == (Stopping{}) {
		s.Stopping = FixedTrials(1)
	}
	if s.WarmUp == "" {
		s.WarmUp = WarmUpFull
	}
	if s.ModelName == "" {
		s.ModelName = s.EngineArgs.Model
	}
	switch {
	case s.Dir == "":
		return errors.New("bench: Settings.Dir is empty")
	case s.Open == nil:
		return errors.New("bench: Settings.Open is nil")
	case s.Requests.Vocabulary.Size() == 0:
		return errors.New("bench: Settings.Requests.Vocabulary is empty")
	case len(s.Studies) == 0:
		return errors.New("bench: Settings.Studies is empty")
	case s.Timeout < 0:
		return fmt.Errorf("bench: Settings.Timeout is %v", s.Timeout)
	case s.WarmUp != WarmUpFull && s.WarmUp != WarmUpNotebook:
		return fmt.Errorf("bench: Settings.WarmUp is %q; it must be %q or %q", s.WarmUp, WarmUpFull, WarmUpNotebook)
	}
	for _, study := range s.Studies {
		if err := study.check(); err != nil {
			return err
		}
	}
	return s.Stopping.check()
}

func (s Settings) header() *Header {
	return &Header{
		Schema:        JournalSchema,
		Started:       time.Now().UTC(),
		Command:       s.Command,
		Model:         s.ModelName,
		RandomWeights: s.RandomWeights,
		Preset:        s.Preset,
		Seed:          s.Requests.Seed,
		Vocabulary:    s.Requests.Vocabulary,
		Text:          s.Requests.Tokenizer != nil,
		Stopping:      s.Stopping,
		WarmUp:        s.WarmUp,
		Cold:          s.Cold,
		Latency:       s.Latency,
		Goodput:       s.Goodput,
		Device:        s.Device,
		EngineArgs:    s.EngineArgs,
		EngineMode:    s.EngineArgs.EngineMode,
		ModelConfig:   s.ModelConfig,
		ModelSize:     s.ModelSize,
		Machine:       DescribeMachine(),
		Studies:       s.Studies,
	}
}

// measureLimits measures the device once for a run. The error is the journal's: without the limits a run lacks its speed
// of light only.
func (r *runner) measureLimits(ctx context.Context) error {
	if r.Limits == nil || r.ModelSize == nil || r.past.Limits != nil {
		return nil
	}
	r.progress.line("measuring memory bandwidth and arithmetic …")
	limits, err := r.Limits(ctx)
	if err != nil {
		r.progress.line("no speed of light: %v", err)
		return nil
	}
	return r.journal.append(record{Limits: &limits})
}

// groupByEngine collects the points of all studies by engine settings and environment, in order of first
// appearance.
func groupByEngine(studies []Study, base vllmgo.EngineArgs) ([]EngineGroup, error) {
	var groups []EngineGroup
	for _, study := range studies {
		for _, p := range study.Points {
			args, err := study.EngineArgs(base, p)
			if err != nil {
				return nil, err
			}
			i := 0
			for i < len(groups) && !(reflect.DeepEqual(groups[i].Args, args) && maps.Equal(groups[i].Env, p.Set.Env)) {
				i++
			}
			if i == len(groups) {
				groups = append(groups, EngineGroup{Args: args, Env: p.Set.Env})
			}
			groups[i].Points = append(groups[i].Points, p)
		}
	}
	return groups, nil
}

// missing is a variable that is not as the group needs it; empty when there is none.
func (g EngineGroup) missing() string {
	for _, name := range slices.Sorted(maps.Keys(g.Env)) {
		if value, ok := os.LookupEnv(name); !ok || value != g.Env[name] {
			return name + "=" + g.Env[name]
		}
	}
	return ""
}

// unfinished leaves out the points, and the groups, of which nothing is left to measure.
func unfinished(groups []EngineGroup, past *Journal) []EngineGroup {
	var rest []EngineGroup
	for _, g := range groups {
		g.Points = slices.DeleteFunc(slices.Clone(g.Points), func(p Point) bool { return past.finished(p.ID()) })
		if len(g.Points) > 0 {
			rest = append(rest, g)
		}
	}
	return rest
}

// runner is a run under way.
type runner struct {
	Settings
	journal  *journalWriter
	past     *Journal // what the journal held before
	progress *progress
	engines  int  // opened or tried so far
	before   int  // of those, by earlier calls
	onGPUs   pids // this program's processes there, as NVML numbers them
}

// runGroup measures the points of the first group, in as many engines as it takes or, with OneEngine, in one. After its
// share of the budget begins no trial but a point's first. rest says that points are left for another engine. The error is
// the journal's; what fails otherwise is in the journal, except that cancelling ctx just ends it.
func (r *runner) runGroup(ctx context.Context, groups []EngineGroup) (rest bool, err error) {
	g := groups[0]
	var points []*pointRun
	for _, p := range g.Points {
		requests, err := r.Requests.Point(ctx, p)
		if missing := g.missing(); missing != "" {
			err = fmt.Errorf("it needs %s in the environment before Python starts: measure it in a process of its own (Settings.OneEngine)", missing)
		}
		if err != nil {
			if ctx.Err() != nil {
				return false, nil
			}
			if err := r.fail(r.engines+1, p, 0, err); err != nil {
				return false, err
			}
			continue
		}
		points = append(points, &pointRun{Point: p, requests: requests, times: r.past.times(p.ID())})
	}
	for len(points) > 0 && ctx.Err() == nil {
		if points, err = r.runEngine(ctx, groups, points); err != nil || r.OneEngine {
			return len(points) > 0, err
		}
	}
	return false, nil
}

// pointRun is a point under way.
type pointRun struct {
	Point
	requests *PointRequests
	times    []time.Duration // of its trials
	cost     time.Duration   // of its latest pass, before and after LLM.generate included
}

// runEngine opens an engine for the first group, measures points, and closes it. It returns the points that need another engine.
func (r *runner) runEngine(ctx context.Context, groups []EngineGroup, points []*pointRun) (rest []*pointRun, err error) {
	args, began := groups[0].Args, time.Now()
	r.engines++
	number := r.engines
	r.progress.line("engine %d: loading %s (max_num_batched_tokens %d, max_num_seqs %d) …", number, r.ModelName, args.MaxNumBatchedTokens, args.MaxNumSeqs)
	var ids []PointID
	for _, p := range points {
		ids = append(ids, p.ID())
	}
	if err := r.journal.append(record{Begin: &Begin{Engine: number, Points: ids}}); err != nil {
		return nil, err
	}
	engine, rec, err := r.open(ctx, args, points)
	r.progress.eta.loads = max(0, r.progress.eta.loads-1)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil
		}
		r.progress.line("engine %d: did not open: %v", number, err)
		for _, p := range points {
			if err := r.fail(number, p.Point, 0, fmt.Errorf("the engine did not open: %w", err)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	defer func() {
		if closeErr := closeEngine(engine); closeErr != nil {
			r.progress.line("engine %d: did not close: %v", number, closeErr)
			reason := fmt.Sprintf("the engine did not close: %v", closeErr)
			err = errors.Join(err, r.journal.append(record{Failure: &Failure{Engine: number, Reason: reason}}))
		}
	}()
	r.progress.eta.load = rec.LoadTime
	r.progress.line("engine %d: loaded in %s s", number, formatSeconds(rec.LoadTime))
	rec.Number = number
	if err := r.journal.append(record{Engine: rec}); err != nil {
		return nil, err
	}
	e := engineRun{runner: r, Engine: engine, rec: rec, points: points, groups: groups, began: began}
	err = e.measure(ctx)
	return e.points, err
}

// grace is how long an engine may take to stop or to close.
const grace = time.Minute

// closeEngine closes an engine, or gives up after a minute.
func closeEngine(engine Engine) error {
	closed := make(chan error, 1)
	go func() { closed <- engine.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(grace):
		return fmt.Errorf("it is not closed after %v", grace)
	}
}

// open loads an engine and measures what that costs.
func (r *runner) open(ctx context.Context, args vllmgo.EngineArgs, points []*pointRun) (Engine, *EngineRecord, error) {
	var rec EngineRecord
	if r.Device == "cpu" {
		available, err := availableMemory()
		if err != nil {
			return nil, nil, err
		}
		var all []Point
		for _, p := range points {
			all = append(all, p.Point)
		}
		args, rec.Notice, err = planCPUCache(args, all, r.ModelConfig.WithDtype(args.Dtype), available, os.Getenv(kvSpaceVariable))
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
	before := computingAnywhere()
	rec.OtherGPUProcesses = before.without(r.onGPUs, descendants())
	rec.OtherLoadAverage = otherLoadAverage()
	start := time.Now()
	engine, err := r.Open(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	rec.LoadTime = time.Since(start)
	maps.Copy(r.onGPUs, ownOnGPUs(before, computingAnywhere(), descendants()))
	hostAfter, err := hostMemory()
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	rec.HostMemory = hostAfter - hostBefore
	if gpuBefore != nil {
		gpus, added := loadedGPUs(gpuBefore, gpuMemory())
		rec.GPUs, rec.GPUMemory = gpus, &added
	}
	rec.Args = args
	rec.Info = engine.Info()
	return engine, &rec, nil
}

// fail records that a point failed, in a trial or, when trial is 0, before its first.
func (r *runner) fail(engine int, p Point, trial int, reason error) error {
	r.progress.line("%s: failed: %s", p, firstLine(reason))
	r.progress.drop(p)
	return r.journal.append(record{Failure: &Failure{Engine: engine, Point: new(p.ID()), Trial: trial, Check: checkOf(reason), Reason: reason.Error()}})
}
