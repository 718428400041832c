package race

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vllmgo/bench/internal/same"
	"vllmgo/bench/internal/valid"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/logfile"
	"vllmgo/vllmgo"
)

// JournalName is the journal's file name in a results directory.
const JournalName = "race.jsonl"

// schema is the version of the journal's format. The one before it has no checksums.
const schema = 2

// Journal is what a race recorded, as read from its file.
type Journal struct {
	Header   Header
	Loaded   []Loaded
	Trials   []Trial
	Failures []Failure
	// Damaged is true when the last line was damaged and left out, as after a crash.
	Damaged bool
	// Unverified is true when the lines have no checksums, because an older program wrote them.
	// Damage may then go unnoticed.
	Unverified bool
}

// Header is the first line of the file: what was known before anything was measured. The fields
// that [Settings] has mean the same as there.
type Header struct {
	// Schema is the version of the journal's format: 2, or 1 without checksums.
	Schema int `json:"schema"`
	// Started is when the race began, in UTC.
	Started time.Time `json:"started"`
	// Command is the command line.
	Command []string `json:"command"`
	// Model is the model's name as tables show it.
	Model string `json:"model"`
	// RandomWeights is true when the weights are random.
	RandomWeights bool `json:"random_weights"`
	// Preset is the name of the points' preset; "none" for studies of the program's own.
	Preset string `json:"preset"`
	// Device is vLLM's name for the platform, such as "cpu" or "cuda".
	Device string `json:"device"`
	// Contenders take part. The others are compared with the first.
	Contenders []Contender `json:"contenders"`
	// Seed is the number that all prompts were drawn from; see [workload.Requests].
	Seed uint64 `json:"seed"`
	// Rounds and ProcessRounds are the numbers of rounds when the race began. More can have been
	// added since.
	Rounds        int `json:"rounds"`
	ProcessRounds int `json:"process_rounds"`
	// Reload is true when all contenders are loaded for each round.
	Reload bool `json:"reload,omitempty"`
	// EngineArgs are the settings of all engines, apart from those of studies and contenders.
	EngineArgs vllmgo.EngineArgs `json:"engine_args"`
	// Studies have the points to measure.
	Studies []workload.Study `json:"studies"`
	// Machine is the machine that the race is on.
	Machine journal.Machine `json:"machine"`
}

// Loaded records that a contender is loaded and warm.
type Loaded struct {
	// Contender is the contender's name.
	Contender string `json:"contender"`
	// Group is the number of the group of points with the same engine settings. It counts from 1.
	Group int `json:"group"`
	// Versions are the versions of vLLM, torch and Python; empty when they are not known.
	Versions string `json:"versions,omitempty"`
	// Load is the time from the start of the process until the engine can generate. FirstToken is
	// the time until its first token.
	Load       time.Duration `json:"load_ns,omitempty"`
	FirstToken time.Duration `json:"first_token_ns,omitempty"`
	// WarmUp is the time of the first warm-up pass of all points.
	WarmUp time.Duration `json:"warm_up_ns,omitempty"`
	// Together is true when the contenders loaded at the same time.
	Together bool `json:"together,omitempty"`
}

// Trial records a contender's pass of a point in a round.
type Trial struct {
	// Contender is the contender's name.
	Contender string `json:"contender"`
	workload.PointID
	// Round is the number of the round. It counts from 1.
	Round int `json:"round"`
	// Wall is the time from handing the prompts over until all outputs are there. The throughput
	// benchmark reports its own.
	Wall time.Duration `json:"wall_ns"`
	// Elapsed is the time of LLM.generate alone. Only VLLMGo has it.
	Elapsed time.Duration `json:"elapsed_ns,omitempty"`
	// Process is the time from the start to the end of the process. Only kinds with a process for
	// each point have it.
	Process time.Duration `json:"process_ns,omitempty"`
	// CPU is the processor time of all the contender's processes.
	CPU time.Duration `json:"cpu_ns"`
	// FrontEndMemory is the peak of the resident memory of the contender's processes, without
	// vLLM's engine cores and workers, in bytes.
	FrontEndMemory int64 `json:"front_end_memory_bytes,omitempty"`
	// PromptsSHA256 and OutputsSHA256 are hashes of the token IDs of all prompts and of all
	// outputs. They are empty if the token IDs are not known.
	PromptsSHA256 string `json:"prompts_sha256,omitempty"`
	OutputsSHA256 string `json:"outputs_sha256,omitempty"`
}

// Failure records that a contender dropped out of a group.
type Failure struct {
	// Contender is the contender's name.
	Contender string `json:"contender"`
	// Group is the number of the group of points with the same engine settings. It counts from 1.
	Group int `json:"group"`
	// Reason is the error, for people to read.
	Reason string `json:"reason"`
}

// record is a line of the file. It has one member.
type record struct {
	Header  *Header  `json:"header,omitempty"`
	Loaded  *Loaded  `json:"loaded,omitempty"`
	Trial   *Trial   `json:"trial,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
}

// ErrInUse means that a folder has the journal of another race.
var ErrInUse = errors.New("a race with other settings or of another machine")

// openJournal opens the journal of a race and returns what it has. It returns an error if the
// journal is of another race.
func openJournal(p prepared) (*logfile.Writer, *Journal, error) {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("race: %w", err)
	}
	path, header, past := filepath.Join(p.dir, JournalName), p.header(), new(Journal)
	w, err := logfile.Continue(path, past.add)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return createJournal(path, header)
	case err != nil:
		return nil, nil, fmt.Errorf("race: %w", err)
	}
	if err := compareRaces(past.Header, header); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("race: %s is of %w", path, err), w.Close())
	}
	return w, past, nil
}

// createJournal creates a journal that has a header only.
func createJournal(path string, header Header) (*logfile.Writer, *Journal, error) {
	w, err := logfile.Create(path)
	if err != nil {
		return nil, nil, fmt.Errorf("race: %w", err)
	}
	if err := w.Append(record{Header: &header}); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("race: %s: %w", path, err), w.Close())
	}
	return w, &Journal{Header: header}, nil
}

// compareRaces returns an error when two headers are of different races. It ignores when, how and
// by which version the race was started, and the number of rounds.
func compareRaces(past, now Header) error {
	past.Schema = now.Schema
	past.Started, past.Command, past.Rounds, past.ProcessRounds = now.Started, now.Command, now.Rounds, now.ProcessRounds
	differences, err := same.Differences(past, now)
	if err != nil || len(differences) == 0 {
		return err
	}
	return fmt.Errorf("%w; choose another folder (%s)", ErrInUse, differences[0])
}

// ReadJournal reads a race's journal. It leaves out a last line that is damaged or cut short.
func ReadJournal(path string) (*Journal, error) {
	j := new(Journal)
	damaged, err := logfile.ReadFile(path, j.add)
	if err != nil {
		return nil, fmt.Errorf("race: %w", err)
	}
	j.Damaged = damaged
	return j, nil
}

// add takes in one line of the file.
func (j *Journal) add(line []byte, verified bool) error {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	if j.Header.Schema == 0 {
		return j.addHeader(r.Header, verified)
	}
	if err := j.validate(r); err != nil {
		return err
	}
	switch {
	case r.Loaded != nil:
		j.Loaded = append(j.Loaded, *r.Loaded)
	case r.Trial != nil:
		j.Trials = append(j.Trials, *r.Trial)
	case r.Failure != nil:
		j.Failures = append(j.Failures, *r.Failure)
	default:
		return errors.New("it has no loaded, trial or failure")
	}
	return nil
}

// addHeader takes in the header of the first line.
func (j *Journal) addHeader(h *Header, verified bool) error {
	if h == nil {
		return errors.New("the first line is not a header")
	}
	if err := cmp.Or(valid.Schema(h.Schema, schema, verified), h.validate()); err != nil {
		return err
	}
	j.Header, j.Unverified = *h, !verified
	return nil
}

// has reports whether the journal has a contender's trial of a point in a round.
func (j *Journal) has(contender string, p workload.PointID, round int) bool {
	return slices.ContainsFunc(j.Trials, func(t Trial) bool {
		return t.Contender == contender && t.PointID == p && t.Round == round
	})
}
