package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"vllmgo/vllmgo"
)

// JournalSchema is the version of the journal's format. ReadJournal refuses any other.
const JournalSchema = 2

// JournalName is the journal's file name in a results directory.
const JournalName = "journal.jsonl"

// Journal is everything that a run learned, as read back from its file. Tables, plots, files and the report
// are made from it alone.
//
// The file has one JSON object a line with a single member, which says what the line is: "header", the
// first line; "engine", when one opened; "warm_up" and "trial", as each ends; "failure";
// "latency", a pass that timed requests; "limits", what the device is
// capable of; "begin", before anything that may end the process; "done", when the budget ends a point; "end", when nothing
// was left to measure.
type Journal struct {
	Header   Header
	Engines  []EngineRecord
	WarmUps  []WarmUp
	Trials   []Trial
	Failures []Failure
	// Latencies are the passes that timed each request.
	Latencies []LatencyPass
	// Limits are what the device was measured to be capable of; nil when they were not measured.
	Limits *Limits
	// OutOfBudget are the points that the budget ended.
	OutOfBudget []PointID
	// Ended is true when the run came to its end and was not interrupted.
	Ended bool
	// Damaged is true when the last line could not be read and was left out, as after a crash.
	Damaged bool

	underWay *Begin // the latest, when nothing came of it
	engines  int    // the highest number of an engine
}

// Header is what was known before anything was measured.
type Header struct {
	// Schema is [JournalSchema].
	Schema int `json:"schema"`
	// Started is when the run began.
	Started time.Time `json:"started"`
	// Command is the command line.
	Command []string `json:"command"`
	// Model is the model's name as tables show it.
	Model string `json:"model"`
	// RandomWeights is true when the weights are random instead of the model's: the figures then say how
	// fast such a model is, not what this one answers.
	RandomWeights bool `json:"random_weights"`
	// Preset is the preset's name.
	Preset string `json:"preset"`
	// Seed is what all prompts were drawn from; see [Requests].
	Seed uint64 `json:"seed"`
	// Vocabulary is the token IDs that prompts were drawn from.
	Vocabulary Vocabulary `json:"vocabulary"`
	// Text is true when prompts were sent as text and not as token IDs.
	Text bool `json:"text,omitempty"`
	// Stopping says how often points were to be measured.
	Stopping Stopping `json:"stopping"`
	// WarmUp says how points were warmed up.
	WarmUp WarmUpMode `json:"warm_up"`
	// Cold puts the times after the notebook's warm-up beside the others in the tables.
	Cold bool `json:"cold,omitempty"`
	// Latency says that requests were to be timed, and Goodput which of them count as good.
	Latency bool    `json:"latency,omitempty"`
	Goodput Goodput `json:"goodput,omitzero"`
	// Device is the platform: "cpu", "cuda", ….
	Device string `json:"device"`
	// EngineArgs are the settings common to all engines; those of each are in its EngineRecord.
	EngineArgs vllmgo.EngineArgs `json:"engine_args"`
	// EngineMode is the engine mode that was asked for; empty means auto.
	EngineMode vllmgo.EngineMode `json:"engine_mode"`
	// ModelConfig is the model's configuration.
	ModelConfig vllmgo.ModelConfig `json:"model_config"`
	// ModelSize is the model's size, when it is known.
	ModelSize *ModelSize `json:"model_size,omitempty"`
	// Machine is where it ran.
	Machine Machine `json:"machine"`
	// Studies are the studies and all their points, measured or not.
	Studies []Study `json:"studies"`
}

// EngineRecord is one engine that opened.
type EngineRecord struct {
	// Number counts the run's engines from 1, those that failed to open included.
	Number int `json:"engine"`
	// Args are its settings.
	Args vllmgo.EngineArgs `json:"args"`
	// Info is what the engine says about itself, vLLM's, torch's and Python's versions included.
	Info vllmgo.Info `json:"info"`
	// LoadTime is the time that opening took, all told; Info.LoadTime is vllm.LLM's part of it.
	LoadTime time.Duration `json:"load_time_ns"`
	// HostMemory is what loading added to the resident memory of this process and all its descendants, in
	// bytes. Pages that they share count once for each. In process it is less than the engine's size when
	// an engine before it left memory to reuse.
	HostMemory int64 `json:"host_memory_bytes"`
	// GPUMemory is what loading added to the memory in use on all the machine's GPUs, in bytes; nil when
	// there is no NVML. vLLM reserves gpu_memory_utilization of a GPU, whatever the model's size.
	GPUMemory *int64 `json:"gpu_memory_bytes,omitempty"`
	// GPUs are the numbers, in NVML's order, of the GPUs that it runs on: those on which loading took memory. What
	// the others do counts for no trial.
	GPUs []int `json:"gpus,omitempty"`
	// OtherGPUProcesses is the number of others' processes that computed on the machine's GPUs before it was loaded.
	OtherGPUProcesses int `json:"other_gpu_processes,omitempty"`
	// OtherLoadAverage is the machine's load average over the minute before it was loaded, less what this process did.
	// For a run's later engines it has the earlier ones in it.
	OtherLoadAverage float64 `json:"other_load_average,omitempty"`
	// Notice says how the KV cache's size was chosen; empty when vLLM chose it.
	Notice string `json:"notice,omitempty"`
}

// Failure is something that did not work. With a point, the point has no further trials; without one, it concerns the
// engine as a whole.
type Failure struct {
	// Engine is the number of the engine.
	Engine int `json:"engine"`
	// Point is what was to be measured; nil when an engine did not close properly.
	Point *PointID `json:"point,omitempty"`
	// Trial is the trial's number; 0 when it failed before the first, as when the engine did not open.
	Trial int `json:"trial,omitempty"`
	// Latency says that it is about the point's latencies; its throughput may be measured all the same.
	Latency bool `json:"latency,omitempty"`
	// Check is the name of the check that failed, such as [CheckCounts]; empty when it was no check.
	Check string `json:"check,omitempty"`
	// Reason is the error.
	Reason string `json:"reason"`
}

// record is one line of the journal's file: exactly one member is set.
type record struct {
	Header  *Header       `json:"header,omitempty"`
	Engine  *EngineRecord `json:"engine,omitempty"`
	WarmUp  *WarmUp       `json:"warm_up,omitempty"`
	Trial   *Trial        `json:"trial,omitempty"`
	Failure *Failure      `json:"failure,omitempty"`
	Latency *LatencyPass  `json:"latency,omitempty"`
	Limits  *Limits       `json:"limits,omitempty"`
	Begin   *Begin        `json:"begin,omitempty"`
	Done    *PointID      `json:"done,omitempty"`
	End     *End          `json:"end,omitempty"`
}

// Begin is something that begins: the loading of an engine, with the points that need it, or a point's warm-up or trial.
type Begin struct {
	Engine int       `json:"engine"`
	Points []PointID `json:"points"`
	// Trial is the trial's number; 0 when a warm-up or an engine begins.
	Trial int `json:"trial,omitempty"`
	// Latency says that it is about latencies.
	Latency bool `json:"latency,omitempty"`
}

// End is the end of a run.
type End struct {
	At time.Time `json:"at"`
}

// journalWriter appends to a journal's file and syncs each line, so that a crash loses no more than the
// line being written.
type journalWriter struct {
	file *os.File
}

// createJournal makes a new file; one that exists is an error.
func createJournal(path string) (*journalWriter, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("bench: creating the journal: %w", err)
	}
	return &journalWriter{file: file}, nil
}

// continueJournal opens a file to append to, and returns what it holds. A damaged last line is cut off.
func continueJournal(path string) (*journalWriter, *Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: opening the journal: %w", err)
	}
	text, err := io.ReadAll(file)
	var journal *Journal
	if err == nil {
		journal, err = ReadJournal(bytes.NewReader(text))
	}
	if err == nil && journal.Damaged {
		text = bytes.TrimSuffix(text, []byte("\n"))
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		err = file.Truncate(int64(len(text)))
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekEnd)
	}
	if err == nil && !bytes.HasSuffix(text, []byte("\n")) {
		_, err = file.Write([]byte("\n"))
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("bench: continuing the journal: %w", err), file.Close())
	}
	return &journalWriter{file: file}, journal, nil
}

func (w *journalWriter) append(r record) error {
	if err := AppendLine(w.file, r); err != nil {
		return fmt.Errorf("bench: writing the journal: %w", err)
	}
	return nil
}

// AppendLine writes a value as a line of JSON to a file and waits until it is on disk, so that a crash loses no more than
// the line being written.
func AppendLine(file *os.File, value any) error {
	line, err := json.Marshal(value)
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	if err == nil {
		err = file.Sync()
	}
	return err
}

func (w *journalWriter) close() error { return w.file.Close() }

// ReadJournalFile reads the journal in a file; see [ReadJournal].
func ReadJournalFile(path string) (*Journal, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("bench: reading the journal: %w", err)
	}
	defer file.Close()
	return ReadJournal(file)
}

// ReadJournal reads a journal. A last line that is damaged or cut short is left out, and Journal.Damaged
// set. Any other damage, a missing header, another schema, or a trial of an engine that is not in the
// journal is an error.
func ReadJournal(r io.Reader) (*Journal, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("bench: reading the journal: %w", err)
	}
	journal := new(Journal)
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	for i, line := range lines {
		err := journal.add(line, i == 0)
		if err != nil && i > 0 && i == len(lines)-1 {
			journal.Damaged = true
		} else if err != nil {
			return nil, fmt.Errorf("bench: line %d of the journal: %w", i+1, err)
		}
	}
	return journal, nil
}

// add takes in one line.
func (j *Journal) add(line []byte, first bool) error {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	switch {
	case first && r.Header == nil:
		return errors.New("the first line is no header")
	case first && r.Header.Schema != JournalSchema:
		return fmt.Errorf("schema %d; this program reads %d", r.Header.Schema, JournalSchema)
	case first:
		j.Header = *r.Header
	case r.Engine != nil:
		j.Engines = append(j.Engines, *r.Engine)
		j.engines = max(j.engines, r.Engine.Number)
	case r.Trial != nil && !j.opened(r.Trial.Engine):
		return fmt.Errorf("a trial of engine %d, which did not open", r.Trial.Engine)
	case r.WarmUp != nil:
		j.WarmUps = append(j.WarmUps, *r.WarmUp)
	case r.Trial != nil:
		j.Trials = append(j.Trials, *r.Trial)
	case r.Failure != nil:
		j.Failures = append(j.Failures, *r.Failure)
	case r.Latency != nil:
		j.Latencies = append(j.Latencies, *r.Latency)
	case r.Limits != nil:
		j.Limits = r.Limits
	case r.Begin != nil:
		j.underWay = r.Begin
		j.engines = max(j.engines, r.Begin.Engine)
		return nil
	case r.Done != nil:
		j.OutOfBudget = append(j.OutOfBudget, *r.Done)
	case r.End != nil:
		j.Ended = true
	default:
		return errors.New("neither engine, warm-up, trial, failure, latency, limits, begin, done nor end")
	}
	j.underWay = nil
	return nil
}

// times are those of a point's trials.
func (j *Journal) times(p PointID) []time.Duration {
	var times []time.Duration
	for _, t := range j.Trials {
		if t.PointID == p {
			times = append(times, t.Elapsed)
		}
	}
	return times
}

// finished reports whether nothing is left to measure of a point.
func (j *Journal) finished(p PointID) bool {
	failed := func(f Failure) bool { return f.Point != nil && *f.Point == p && !f.Latency }
	return slices.ContainsFunc(j.Failures, failed) || slices.Contains(j.OutOfBudget, p) || j.Header.Stopping.done(j.times(p))
}

// spent is the time that the run took so far, as far as the journal tells: loading, warm-up and trials.
func (j *Journal) spent() time.Duration {
	var total time.Duration
	for _, e := range j.Engines {
		total += e.LoadTime
	}
	for _, w := range j.WarmUps {
		total += w.Single
		for _, pass := range w.Passes {
			total += pass
		}
	}
	for _, t := range j.Trials {
		total += t.Elapsed + t.Outside
	}
	return total
}

func (j *Journal) opened(engine int) bool {
	return slices.ContainsFunc(j.Engines, func(e EngineRecord) bool { return e.Number == engine })
}

// devices is the number of devices that share the engine's work. On a CPU the ranks share one.
func devices(e EngineRecord) int {
	if e.Info.Device == "cpu" {
		return 1
	}
	return max(1, e.Args.TensorParallelSize) * max(1, e.Args.PipelineParallelSize)
}

// loadCost is what loading the engine cost, in words.
func loadCost(e EngineRecord) string {
	costs := []string{formatSeconds(e.LoadTime) + " s", formatBytes(e.HostMemory) + " of host memory"}
	if e.GPUMemory != nil {
		costs = append(costs, formatBytes(*e.GPUMemory)+" of GPU memory")
	}
	return list(costs)
}
