package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// openJournal begins the run's journal or, with Resume, continues the one that is there.
func (s Settings) openJournal() (*journal.Writer, *journal.Journal, error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("bench: making the results directory: %w", err)
	}
	path, header := filepath.Join(s.Dir, journal.FileName), s.header()
	if s.Resume {
		w, past, err := journal.Continue(path)
		if err == nil {
			if err = sameRun(past.Header, header); err != nil {
				err = errors.Join(err, w.Close())
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return w, past, err
		}
	}
	w, err := journal.Create(path, header)
	return w, &journal.Journal{Header: header}, err
}

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
	Goodput journal.Goodput
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
	ModelSize *journal.ModelSize
	// Limits measures what the device is capable of, before an engine is loaded; nil when nobody can.
	Limits func(context.Context) (journal.Limits, error)
	// Device is the platform, "cpu", "cuda", …, as vllmgo.DetectDevice tells it.
	Device string
	// Requests say what prompts are drawn from. Its Vocabulary is required.
	Requests workload.Requests
	// Studies are what to measure. Required.
	Studies []workload.Study
	// Stopping says how often each point is measured; the zero value means once.
	Stopping stat.Stopping
	// WarmUp says how points are warmed up; empty means [journal.WarmUpFull].
	WarmUp journal.WarmUpMode
	// Ledger are the SHA-256 of the prompts of each point's trials, in order, in a run that this one repeats; see
	// [journal.Journal.PromptHashes]. A point whose prompts are others fails. nil when there is no such run.
	Ledger journal.PromptHashes
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
		return fmt.Errorf("bench: Settings.WarmUp is %q; it must be %q or %q", s.WarmUp, journal.WarmUpFull, journal.WarmUpNotebook)
	}
	for _, study := range s.Studies {
		if err := study.Validate(); err != nil {
			return err
		}
	}
	return s.Stopping.Validate()
}

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
