package journal

import (
	"time"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Header is the first line of a journal: the settings of the run.
type Header struct {
	// Schema is [Schema].
	Schema int `json:"schema"`
	// Started is when the run began, in UTC.
	Started time.Time `json:"started"`
	// Command is the command line.
	Command []string `json:"command"`
	// Model is the model's name as tables show it.
	Model string `json:"model"`
	// RandomWeights is true when the weights are random. The figures then say how fast such a model
	// is, and its answers mean nothing.
	RandomWeights bool `json:"random_weights"`
	// Preset is the preset's name.
	Preset string `json:"preset"`
	// Seed is the number that all prompts were drawn from; see [workload.Requests].
	Seed uint64 `json:"seed"`
	// Vocabulary has the token IDs that prompts were made of.
	Vocabulary workload.Vocabulary `json:"vocabulary"`
	// Text is true when prompts were sent as text and not as token IDs.
	Text bool `json:"text,omitempty"`
	// Stopping is the rule for how often points are measured.
	Stopping stat.Stopping `json:"stopping"`
	// WarmUp is how points are warmed up.
	WarmUp WarmUpMode `json:"warm_up"`
	// Cold adds to the tables the times that the notebook's warm-up would have given.
	Cold bool `json:"cold,omitempty"`
	// Latency is true when each request is timed too.
	Latency bool `json:"latency,omitempty"`
	// Goodput has the limits that a request must keep to count as good.
	Goodput Goodput `json:"goodput,omitzero"`
	// Device is vLLM's name for the platform, such as "cpu" or "cuda".
	Device string `json:"device"`
	// EngineArgs are the settings of all engines. Those of each are in its [Engine].
	EngineArgs vllmgo.EngineArgs `json:"engine_args"`
	// EngineMode is the engine mode that was asked for. Empty means auto.
	EngineMode vllmgo.EngineMode `json:"engine_mode"`
	// ModelConfig is the model's configuration.
	ModelConfig vllmgo.ModelConfig `json:"model_config"`
	// ModelSize is the model's size; nil when it is not known.
	ModelSize *ModelSize `json:"model_size,omitempty"`
	// Machine is the machine that the run is on.
	Machine Machine `json:"machine"`
	// Studies are the studies with all their points, measured or not.
	Studies []workload.Study `json:"studies"`
}

// Settings returns the header without what every run has of its own: when it began, its command
// line, the temporary folder of random weights, and the version of its journal. Whatever else two
// headers differ in is a difference of the runs.
func (h Header) Settings() Header {
	h.Started, h.Command, h.Schema = time.Time{}, nil, 0
	if h.RandomWeights {
		h.EngineArgs.Model = ""
	}
	return h
}

// WarmUpMode is how a point is warmed up before its first trial on an engine.
type WarmUpMode string

const (
	// WarmUpFull runs one request, and then the point's full shape until times are stable.
	WarmUpFull WarmUpMode = "full"
	// WarmUpNotebook runs one request, as the notebook does. The first trial then includes what
	// the shape needs only once.
	WarmUpNotebook WarmUpMode = "notebook"
)
