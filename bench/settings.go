package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Settings configures [Run].
type Settings struct {
	// Dir is the results directory. Run makes it when it does not exist. Required. It must not hold
	// a journal, unless Resume is set.
	Dir string
	// Resume continues the run whose journal is in Dir, if there is one. No trial is repeated or
	// lost. All other settings must be as they were, and so must the machine.
	Resume bool
	// OneEngine loads at most one engine and leaves the rest to a further call with Resume. If
	// each call runs in a process of its own, the crash of an engine does not end the run, and the
	// point that it was measuring is tried again. The package [vllmgo/bench/vllm] does this.
	OneEngine bool

	// Studies are what to measure. Required.
	Studies []workload.Study
	// Requests is what prompts are drawn from. Its Vocabulary is required.
	Requests workload.Requests
	// Stopping is the rule for how often each point is measured. The zero value means once.
	Stopping stat.Stopping
	// WarmUp is how points are warmed up. Empty means [journal.WarmUpFull].
	WarmUp journal.WarmUpMode
	// Latency also times each request, in separate passes on further engines with statistics. These
	// must be [TimedEngine]s.
	Latency bool
	// Goodput has the limits that a request must keep to count as good.
	Goodput journal.Goodput
	// Timeout is the longest time that a pass may take. 0 means no limit. A point that takes longer
	// fails, and the others go on in another engine.
	Timeout time.Duration
	// Expect has the hashes of the prompts of a run that this one repeats. A point with other
	// prompts fails. nil means that no run is repeated.
	Expect journal.PromptHashes

	// Open loads an engine. Required.
	Open OpenFunc
	// EngineArgs are the settings of all engines. Each study adds its max_num_batched_tokens and
	// max_num_seqs, and switches prefix caching off. On a CPU, Run adds the size of the KV cache,
	// unless KVCacheMemoryBytes is set.
	EngineArgs vllmgo.EngineArgs
	// Device is vLLM's name for the platform, such as "cpu" or "cuda"; see [vllmgo.DetectDevice].
	Device string
	// ModelConfig is the model's configuration. Required when Device is "cpu".
	ModelConfig vllmgo.ModelConfig
	// MaxModelLen has the longest sequence, in tokens, of the engine of each point, as far as it is
	// known before the engine is loaded. A point with a longer one then fails without its engine.
	MaxModelLen map[workload.PointID]int
	// ModelSize is the model's size, for the speed of light. nil means that it is not known.
	ModelSize *journal.ModelSize
	// Limits measures the limits of the device, for the speed of light. Run calls it before it
	// loads an engine. nil means that they are not measured.
	Limits func(context.Context) (journal.Limits, error)

	// ModelName is the model's name in tables. Empty means EngineArgs.Model.
	ModelName string
	// RandomWeights marks all results as measured with random weights.
	RandomWeights bool
	// Preset is the name of the preset that Studies came from, for tables.
	Preset string
	// Cold adds to the tables the times that the notebook's warm-up would have given.
	Cold bool
	// Command is the command line, for the record.
	Command []string
	// Progress receives a line for each event. nil means that nobody reads them.
	Progress io.Writer
}

// complete checks the settings and fills in defaults.
func (s *Settings) complete() error {
	if s.Stopping == (stat.Stopping{}) {
		s.Stopping = stat.FixedTrials(1)
	}
	if s.WarmUp == "" {
		s.WarmUp = journal.WarmUpFull
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
	case s.WarmUp != journal.WarmUpFull && s.WarmUp != journal.WarmUpNotebook:
		return fmt.Errorf(
			"bench: Settings.WarmUp is %q; it must be %q or %q",
			s.WarmUp,
			journal.WarmUpFull,
			journal.WarmUpNotebook,
		)
	}
	if err := workload.CheckStudies(s.Studies); err != nil {
		return err
	}
	return s.Stopping.Validate()
}

// CheckLengths returns an error when a sequence of the point is longer than MaxModelLen allows.
func (s Settings) CheckLengths(p workload.Point) error {
	return checkLongest(p, s.MaxModelLen[p.ID()], "model")
}

// checkLongest returns an error when a sequence of the point is longer than the max_model_len of an
// engine or a model; 0 means that it is not known.
func checkLongest(p workload.Point, maxModelLen int, whose string) error {
	longest, _ := p.Longest()
	if maxModelLen == 0 || longest <= maxModelLen {
		return nil
	}
	return fmt.Errorf("a sequence of %d tokens, input and output, exceeds the %s's max_model_len of %d",
		longest, whose, maxModelLen)
}

// header returns the journal's header.
func (s Settings) header() journal.Header {
	return journal.Header{
		Schema:        journal.Schema,
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
		Machine:       machine.Describe(),
		Studies:       s.Studies,
	}
}
