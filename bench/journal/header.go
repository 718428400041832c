package journal

import (
	"time"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Header is what was known before anything was measured.
type Header struct {
	// Schema is [Schema].
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
	// Seed is what all prompts were drawn from; see [workload.Requests].
	Seed uint64 `json:"seed"`
	// Vocabulary is the token IDs that prompts were drawn from.
	Vocabulary workload.Vocabulary `json:"vocabulary"`
	// Text is true when prompts were sent as text and not as token IDs.
	Text bool `json:"text,omitempty"`
	// Stopping says how often points were to be measured.
	Stopping stat.Stopping `json:"stopping"`
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
	Studies []workload.Study `json:"studies"`
}

// WarmUpMode says how a point is warmed up before its first trial on an engine.
type WarmUpMode string

const (
	// WarmUpFull, the default, runs one request and then the point's full shape until times are stable.
	WarmUpFull WarmUpMode = "full"
	// WarmUpNotebook runs one request only. A first trial then pays for everything that the shape needs once.
	WarmUpNotebook WarmUpMode = "notebook"
)
