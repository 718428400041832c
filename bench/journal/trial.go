package journal

import (
	"time"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// WarmUp is what ran before a point's first trial in an engine.
type WarmUp struct {
	workload.PointID
	// Engine is the number of the engine.
	Engine int `json:"engine"`
	// Single is the time of one request of the point's lengths, which is all of the notebook's
	// warm-up.
	Single time.Duration `json:"single_ns"`
	// Passes are the times of passes of the point's full shape, each with other prompts. The first
	// follows a single request, as the notebook's measurement does. There are none with
	// [WarmUpNotebook].
	Passes []time.Duration `json:"passes_ns,omitempty"`
	// Stable is false when the last of the passes was still faster than the one before it, by 5 %
	// or more.
	Stable bool `json:"stable"`
}

// Trial is a measurement of a point: one call of LLM.generate.
type Trial struct {
	workload.PointID
	// Trial counts a point's trials from 1.
	Trial int `json:"trial"`
	// Engine is the number of the engine.
	Engine int `json:"engine"`
	// Started is when the trial began, in UTC.
	Started time.Time `json:"started"`
	// Elapsed is the time of LLM.generate alone. All requests return together, so it is the
	// completion time of the batch and the latency of each request.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Outside is the rest of the time of the call of Engine.Generate: handing over prompts and
	// outputs.
	Outside time.Duration `json:"outside_ns"`
	// Ledger accounts for the requests.
	Ledger Ledger `json:"ledger"`
	// PeakKVTokens is what [workload.Point.PeakKVTokens] returns for the engine.
	PeakKVTokens int `json:"peak_kv_tokens"`
	// Usage is what the machine did during the trial.
	Usage Usage `json:"usage"`
	// Stopped is why the point has no more trials after this one; empty when it has, or when the
	// budget or a failure ended them. Journals of earlier versions do not have it; see
	// [Journal.Stopped].
	Stopped stat.StopReason `json:"stopped,omitempty"`
}

// Ledger accounts for the requests of a trial, by what the engine returned. Each request was
// compared with what was sent and asked for.
type Ledger struct {
	// PromptsSHA256 is the [workload.TokenHash] of the prompts.
	PromptsSHA256 string `json:"prompts_sha256"`
	// Requests is the number of requests that were completed.
	Requests int `json:"requests"`
	// InputTokens is the number of prompt tokens that the engine saw.
	InputTokens int `json:"input_tokens"`
	// OutputTokens is the number of tokens that the engine generated.
	OutputTokens int `json:"output_tokens"`
	// CachedTokens is the number of prompt tokens from the prefix cache; −1 when the engine does
	// not say.
	CachedTokens int `json:"cached_tokens"`
}
