package journal

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"vllmgo/bench/internal/valid"
	"vllmgo/bench/workload"
	"vllmgo/internal/logfile"
	"vllmgo/vllmgo"
)

// SoakFileName is the name of a soak test's journal in a results directory.
const SoakFileName = "soak.jsonl"

// SoakSchema is the version of the format of a soak test's journal. [ReadSoak] refuses later ones.
// It also reads version 1, which has no checksums; a journal without a version has it.
const SoakSchema = 2

// Soak is everything that a soak test recorded, as read from its file.
type Soak struct {
	Header  SoakHeader
	Windows []SoakWindow
	// End is the last line; nil when the test did not come to its end.
	End *SoakEnd
	// Damaged is true when the last line was damaged and left out, as after a crash.
	Damaged bool
	// Unverified is true when the lines have no checksums; see [Journal].
	Unverified bool
}

// SoakRecord is one line of a soak test's journal. Exactly one member is set.
type SoakRecord struct {
	Header *SoakHeader `json:"header,omitempty"`
	Window *SoakWindow `json:"window,omitempty"`
	End    *SoakEnd    `json:"end,omitempty"`
}

// SoakHeader is what is known before a soak test starts.
type SoakHeader struct {
	// Schema is [SoakSchema].
	Schema int `json:"schema"`
	// Started is when the test began, in UTC.
	Started time.Time `json:"started"`
	// Command is the command line.
	Command []string `json:"command"`
	// Model is the model's name as tables show it.
	Model string `json:"model"`
	// RandomWeights is true when the weights are random.
	RandomWeights bool `json:"random_weights"`
	// Engine describes the engine that was loaded.
	Engine vllmgo.Info `json:"engine"`
	// Point has the number of requests and their lengths, in tokens.
	Point workload.Point `json:"point"`
	// Seed is the number that all prompts were drawn from; see [workload.Requests].
	Seed uint64 `json:"seed"`
	// Machine is the machine that the test is on.
	Machine Machine `json:"machine"`
}

// SoakWindow is a part of a soak test.
type SoakWindow struct {
	// Requests is the number of requests that have ended since the test started.
	Requests int `json:"requests"`
	// Elapsed is the window's time. The tokens are those of the requests that ended in it.
	Elapsed      time.Duration `json:"elapsed_ns"`
	InputTokens  int           `json:"input_tokens"`
	OutputTokens int           `json:"output_tokens"`
	// GoHeap is the memory of Go's objects at the end of the window, after a garbage collection, in
	// bytes. Process is the resident memory of the process, Go, Python and all. Children is that of
	// its descendants, such as vLLM's engine core.
	GoHeap   int64 `json:"go_heap_bytes"`
	Process  int64 `json:"process_bytes"`
	Children int64 `json:"children_bytes"`
}

// SoakEnd is the last line of a soak test that succeeded.
type SoakEnd struct {
	// PromptsSHA256 is the [workload.TokenHash] of all prompts.
	PromptsSHA256 string `json:"prompts_sha256"`
}

// ReadSoak reads the journal of a soak test from a file. It treats damage as [Read] does.
func ReadSoak(path string) (*Soak, error) {
	s := new(Soak)
	damaged, err := logfile.ReadFile(path, s.add)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s.Damaged = damaged
	return s, nil
}

// add takes in one line of the file.
func (s *Soak) add(line []byte, verified bool) error {
	var r SoakRecord
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	if s.Header.Started.IsZero() {
		return s.addHeader(r.Header, verified)
	}
	switch {
	case r.Header != nil:
		return errors.New("another header: the file has the lines of two tests")
	case s.End != nil:
		return errors.New("a line after the end of the test")
	case r.Window != nil:
		if err := s.validateWindow(*r.Window); err != nil {
			return err
		}
		s.Windows = append(s.Windows, *r.Window)
	case r.End != nil:
		if err := s.validateEnd(*r.End); err != nil {
			return err
		}
		s.End = r.End
	default:
		return errors.New("neither window nor end")
	}
	return nil
}

// addHeader takes in the first line.
func (s *Soak) addHeader(h *SoakHeader, verified bool) error {
	switch {
	case h == nil:
		return errors.New("the first line is not a header")
	case h.Schema > SoakSchema:
		return fmt.Errorf("schema %d; this program reads %d", h.Schema, SoakSchema)
	case h.Schema == SoakSchema && !verified:
		return fmt.Errorf("it has no checksum, which schema %d has", SoakSchema)
	}
	study := workload.Study{Name: h.Point.Study, MaxNumSeqs: 1, MaxNumBatchedTokens: 1, Points: []workload.Point{h.Point}}
	err := cmp.Or(study.Validate(), valid.Fields(
		valid.Field{Name: "started", Value: h.Started, OK: !h.Started.IsZero()},
		valid.Positive("input_tokens of the point", h.Point.InputTokens()),
		valid.Positive("output_tokens of the point", h.Point.OutputTokens()),
		valid.NotNegative("cores", h.Machine.Cores),
	))
	if err == nil {
		s.Header, s.Unverified = *h, !verified
	}
	return err
}

// ended returns the number of requests that have ended so far.
func (s *Soak) ended() int {
	if len(s.Windows) == 0 {
		return 0
	}
	return s.Windows[len(s.Windows)-1].Requests
}

// validateWindow returns an error when a window cannot follow those before it.
func (s *Soak) validateWindow(w SoakWindow) error {
	p, requests := s.Header.Point, w.Requests-s.ended()
	fields := []valid.Field{
		{Name: "requests", Value: w.Requests, OK: requests > 0 && w.Requests <= p.Requests},
		valid.Positive("elapsed_ns", w.Elapsed),
		valid.Positive("input_tokens", w.InputTokens), valid.Positive("output_tokens", w.OutputTokens),
		valid.NotNegative("go_heap_bytes", w.GoHeap), valid.NotNegative("process_bytes", w.Process),
		valid.NotNegative("children_bytes", w.Children),
	}
	if p.Lengths == nil {
		input, output := requests*p.InputLen, requests*p.OutputLen*p.Completions()
		fields = append(fields, valid.Field{Name: "input_tokens", Value: w.InputTokens, OK: w.InputTokens == input},
			valid.Field{Name: "output_tokens", Value: w.OutputTokens, OK: w.OutputTokens == output})
	}
	return valid.Fields(fields...)
}

// validateEnd returns an error when the test cannot have come to its end.
func (s *Soak) validateEnd(e SoakEnd) error {
	if ended, all := s.ended(), s.Header.Point.Requests; ended != all {
		return fmt.Errorf("the end of the test after %d of %d requests", ended, all)
	}
	return valid.Fields(valid.SHA256("prompts_sha256", e.PromptsSHA256))
}

// SoakWriter appends records to the journal of a soak test, as [Writer] does.
type SoakWriter struct{ file *logfile.Writer }

// CreateSoak makes a new journal of a soak test. It returns an error when the file exists.
func CreateSoak(path string, h SoakHeader) (*SoakWriter, error) {
	file, err := logfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	h.Schema = SoakSchema
	w := &SoakWriter{file}
	return w, w.Append(SoakRecord{Header: &h})
}

// Append writes a record.
func (w *SoakWriter) Append(r SoakRecord) error {
	if err := w.file.Append(r); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// Close closes the file.
func (w *SoakWriter) Close() error { return w.file.Close() }
