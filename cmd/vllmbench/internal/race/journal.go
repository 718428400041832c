package race

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/logfile"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// JournalName is the journal's file name in a results directory.
const JournalName = "race.jsonl"

// schema is the version of the journal's format.
const schema = 1

// Journal is everything that a race learned. Its file has one JSON object a line with a single member.
type Journal struct {
	Header   Header
	Loaded   []Loaded
	Trials   []Trial
	Failures []Failure
}

// Header is what was known before anything was measured.
type Header struct {
	Schema        int               `json:"schema"`
	Started       time.Time         `json:"started"`
	Command       []string          `json:"command"`
	Model         string            `json:"model"`
	RandomWeights bool              `json:"random_weights"`
	Preset        string            `json:"preset"`
	Device        string            `json:"device"`
	Contenders    []Contender       `json:"contenders"`
	Seed          uint64            `json:"seed"`
	Rounds        int               `json:"rounds"`
	ProcessRounds int               `json:"process_rounds"`
	Reload        bool              `json:"reload,omitempty"`
	EngineArgs    vllmgo.EngineArgs `json:"engine_args"`
	Studies       []workload.Study  `json:"studies"`
	Machine       journal.Machine   `json:"machine"`
}

// Loaded is a contender whose engine was loaded.
type Loaded struct {
	Contender string `json:"contender"`
	// Group counts the engine settings of the studies from 1.
	Group    int    `json:"group"`
	Versions string `json:"versions,omitempty"`
	// Load is the time from starting the process to an engine that can generate, FirstToken to its first token.
	Load       time.Duration `json:"load_ns,omitempty"`
	FirstToken time.Duration `json:"first_token_ns,omitempty"`
	// WarmUp is the time of one pass of all points, the first.
	WarmUp time.Duration `json:"warm_up_ns,omitempty"`
	// Together says that other contenders were loading at the same time.
	Together bool `json:"together,omitempty"`
}

// Trial is one contender's pass of a point in a round.
type Trial struct {
	Contender string `json:"contender"`
	workload.PointID
	Round int `json:"round"`
	// Wall is the time from handing the prompts over to having all outputs; of Throughput, what it says of itself.
	Wall time.Duration `json:"wall_ns"`
	// Elapsed is the time of LLM.generate alone; only of VLLMGo.
	Elapsed time.Duration `json:"elapsed_ns,omitempty"`
	// Process is the time from the process's start to its end; only of kinds that have one for each point.
	Process time.Duration `json:"process_ns,omitempty"`
	// CPU is the processor time of all its processes.
	CPU time.Duration `json:"cpu_ns"`
	// FrontEndMemory is the peak of the resident memory of the processes that are not vLLM's engine cores or workers.
	FrontEndMemory int64 `json:"front_end_memory_bytes,omitempty"`
	// PromptsSHA256 and OutputsSHA256 are of all prompts' and all outputs' token IDs, as far as they are known.
	PromptsSHA256 string `json:"prompts_sha256,omitempty"`
	OutputsSHA256 string `json:"outputs_sha256,omitempty"`
}

// Failure is a contender that is out.
type Failure struct {
	Contender string `json:"contender"`
	Group     int    `json:"group"`
	Reason    string `json:"reason"`
}

// record is a line of the file.
type record struct {
	Header  *Header  `json:"header,omitempty"`
	Loaded  *Loaded  `json:"loaded,omitempty"`
	Trial   *Trial   `json:"trial,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
}

// openJournal opens the journal of a race and returns what it holds. The journal of another race is an error.
func openJournal(s Settings) (*logfile.Writer, *Journal, error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, nil, err
	}
	path, header, past := filepath.Join(s.Dir, JournalName), s.header(), new(Journal)
	w, err := logfile.Continue(path, past.add)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if w, err = logfile.Create(path); err == nil {
			err = w.Append(record{Header: &header})
		}
	case err == nil && !sameRace(past.Header, header):
		err = errors.Join(fmt.Errorf("race: %s is of a race with other settings or of another machine; choose another folder", path), w.Close())
	}
	return w, past, err
}

// sameRace compares headers but for when and how they were started, and how many rounds there are to be.
func sameRace(a, b Header) bool {
	a.Started, a.Command, a.Rounds, a.ProcessRounds = b.Started, b.Command, b.Rounds, b.ProcessRounds
	// Both as JSON has them: 1 and 1.0 are one number there.
	var x, y any
	for h, target := range map[*Header]*any{&a: &x, &b: &y} {
		text, err := json.Marshal(h)
		if err != nil || json.Unmarshal(text, target) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}

func (s Settings) header() Header {
	args := s.EngineArgs
	args.Model = s.Name // the folder of a built-in shape is another one each time
	return Header{
		Schema: schema, Started: time.Now().UTC(), Command: s.Command, Model: s.Name, RandomWeights: s.RandomWeights,
		Preset: s.Preset, Device: s.Device, Contenders: s.Contenders, Seed: s.Requests.Seed, Rounds: s.Rounds,
		ProcessRounds: s.ProcessRounds, Reload: s.Reload, EngineArgs: args, Studies: s.Studies, Machine: machine.Describe(),
	}
}

// ReadJournal reads a race's journal. It leaves out a last line that is damaged or cut short.
func ReadJournal(path string) (*Journal, error) {
	j := new(Journal)
	if _, err := logfile.ReadFile(path, j.add); err != nil {
		return nil, fmt.Errorf("race: %s: %w", path, err)
	}
	return j, nil
}

// add takes in one line of the file.
func (j *Journal) add(line []byte) error {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	switch {
	case j.Header.Schema == 0 && r.Header == nil:
		return errors.New("the first line is not a header")
	case j.Header.Schema == 0 && r.Header.Schema != schema:
		return fmt.Errorf("schema %d; this program reads %d", r.Header.Schema, schema)
	case r.Header != nil:
		j.Header = *r.Header
	case r.Loaded != nil:
		j.Loaded = append(j.Loaded, *r.Loaded)
	case r.Trial != nil:
		j.Trials = append(j.Trials, *r.Trial)
	case r.Failure != nil:
		j.Failures = append(j.Failures, *r.Failure)
	default:
		return errors.New("neither loaded, trial nor failure")
	}
	return nil
}

// trial is a contender's trial of a point in a round.
func (j *Journal) trial(contender string, p workload.PointID, round int) (Trial, bool) {
	for _, t := range j.Trials {
		if t.Contender == contender && t.PointID == p && t.Round == round {
			return t, true
		}
	}
	return Trial{}, false
}

func (j *Journal) has(contender string, p workload.PointID, round int) bool {
	_, found := j.trial(contender, p, round)
	return found
}
