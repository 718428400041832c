package race

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"vllmgo/bench/workload"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// Settings describe a race.
type Settings struct {
	// Dir is the results directory. If it has the journal of the same race, Run continues that
	// race.
	Dir string
	// Contenders take part. The others are compared with the first. Their names differ.
	Contenders []Contender
	// Studies have the points to measure.
	Studies []workload.Study
	// EngineArgs are the settings of all engines, apart from those of the studies and of
	// contenders. EngineMode must not be empty.
	EngineArgs vllmgo.EngineArgs
	// Model is the model's configuration, and Device the platform, as for bench.Run.
	Model  vllmgo.ModelConfig
	Device string
	// Requests describe the prompts.
	Requests workload.Requests
	// Rounds is how often each contender measures each point.
	Rounds int
	// ProcessRounds is the same for contenders that load a process for each point, which takes
	// long. They take part in the first rounds only, so more than Rounds has no effect.
	ProcessRounds int
	// LoadTogether loads the contenders at the same time. This is faster if there are cores for
	// all, but their start-up times are then not comparable.
	LoadTogether bool
	// Reload loads all contenders for each round, each time with another one first. The number of
	// contenders must divide Rounds and ProcessRounds.
	Reload bool
	// Python is the path of the Python that has vLLM.
	Python string
	// Tokenizer is the tokenizer of contenders that need one when EngineArgs.SkipTokenizerInit is
	// set.
	Tokenizer string

	// Name is the model's name and Preset that of the points. RandomWeights tells whether the
	// weights are random. Tables show them.
	Name, Preset  string
	RandomWeights bool
	// Command is the command line, for the record.
	Command []string
	// Progress receives lines that tell what happens.
	Progress io.Writer
}

// Check returns an error that says which setting is wrong.
func (s Settings) Check() error {
	if len(s.Contenders) == 0 {
		return errors.New("race: there are no contenders; name at least one")
	}
	if s.Rounds < 1 || s.ProcessRounds < 0 {
		return fmt.Errorf("race: %d rounds and %d process rounds (--rounds, --process-rounds); they must be at least 1 and 0",
			s.Rounds, s.ProcessRounds)
	}
	names := map[string]bool{}
	for _, c := range s.Contenders {
		if err := c.check(); err != nil {
			return fmt.Errorf("race: %w", err)
		}
		if names[c.Name] {
			return fmt.Errorf("race: two contenders are called %s; give them different names: NAME:KIND", c.Name)
		}
		names[c.Name] = true
		if n := len(s.Contenders); s.Reload && s.rounds(c)%n != 0 {
			return fmt.Errorf("race: %d rounds for %s: with engines loaded anew for each, it must be a multiple of %d, "+
				"the number of contenders, so that each is loaded first as often as the others (--rounds, --process-rounds)",
				s.rounds(c), c.Name, n)
		}
	}
	return nil
}

// rounds returns how often a contender measures each point.
func (s Settings) rounds(c Contender) int {
	if c.Kind.perPoint() {
		return s.ProcessRounds
	}
	return s.Rounds
}

// header returns the first line of the race's journal.
func (s Settings) header() Header {
	args := s.EngineArgs
	args.Model = s.Name // the folder of a built-in shape differs each time
	return Header{
		Schema: schema, Started: time.Now().UTC(), Command: s.Command, Model: s.Name,
		RandomWeights: s.RandomWeights, Preset: s.Preset, Device: s.Device, Contenders: s.Contenders,
		Seed: s.Requests.Seed, Rounds: s.Rounds, ProcessRounds: s.ProcessRounds, Reload: s.Reload,
		EngineArgs: args, Studies: s.Studies, Machine: machine.Describe(),
	}
}

// logPath returns the path of the file with the output of a contender's processes. Engine groups
// count from 1.
func (s Settings) logPath(c Contender, group int) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%s-%d.log", c.Name, group))
}
