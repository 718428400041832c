package journal

import (
	"time"

	"vllmgo/bench/workload"
)

// WarmUp is what was run before a point's first trial on an engine.
type WarmUp struct {
	workload.PointID
	// Engine is the number of the engine that was warmed up: EngineRecord.Number.
	Engine int `json:"engine"`
	// Single is the time of one request of the point's lengths, the notebook's whole warm-up.
	Single time.Duration `json:"single_ns"`
	// Passes are the times of passes of the point's full shape, each with prompts of its own. The first comes after
	// a single request, as the notebook's measurement does. None with [WarmUpNotebook].
	Passes []time.Duration `json:"passes_ns,omitempty"`
	// Stable is false when the last of the passes was still faster than the one before it.
	Stable bool `json:"stable"`
}

// Trial is one measurement of a point: one call of LLM.generate.
type Trial struct {
	workload.PointID
	// Trial counts a point's trials from 1.
	Trial int `json:"trial"`
	// Engine is the number of the engine that ran it: EngineRecord.Number.
	Engine int `json:"engine"`
	// Started is when it began.
	Started time.Time `json:"started"`
	// Elapsed is the time of LLM.generate alone. It is the batch's completion time and, because all requests
	// return together, each request's latency.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Outside is the time that the call of Engine.Generate took beyond Elapsed: handing prompts over and
	// outputs back.
	Outside time.Duration `json:"outside_ns"`
	// Ledger accounts for the requests.
	Ledger Ledger `json:"ledger"`
	// PeakKVTokens is the point's peak demand for KV-cache tokens; see [workload.PeakKVTokens].
	PeakKVTokens int `json:"peak_kv_tokens"`
	// Usage is what the machine did meanwhile.
	Usage Usage `json:"usage"`
}

// Ledger accounts for the requests of a trial. Its counts are those of what the engine returned, after each request
// was compared with what was sent and asked for.
type Ledger struct {
	// PromptsSHA256 identifies the prompts: the SHA-256, in hexadecimal, of all their token IDs.
	PromptsSHA256 string `json:"prompts_sha256"`
	// Requests is the number of requests that were completed.
	Requests int `json:"requests"`
	// InputTokens is the number of prompt tokens that the engine saw.
	InputTokens int `json:"input_tokens"`
	// OutputTokens is the number of tokens that it generated.
	OutputTokens int `json:"output_tokens"`
	// CachedTokens is the number of prompt tokens that its prefix cache answered; −1 when it does not say.
	CachedTokens int `json:"cached_tokens"`
}
