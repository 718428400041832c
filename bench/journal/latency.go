package journal

import (
	"time"

	"vllmgo/bench/workload"
)

// RequestTimes are the times of one request. None is the difference of two clocks.
type RequestTimes struct {
	// Queue is the time from the engine's taking in to the first scheduling.
	Queue time.Duration `json:"queue_ns"`
	// TTFT is the time from arrival to the first token.
	TTFT time.Duration `json:"ttft_ns"`
	// E2E is the time from arrival to the last token.
	E2E time.Duration `json:"e2e_ns"`
	// ITL are the times between the steps that gave tokens.
	ITL []time.Duration `json:"itl_ns"`
}

// Counters are what a scheduler does at a moment.
type Counters struct {
	// At is the time since the pass began.
	At time.Duration `json:"at_ns"`
	// Running and Waiting are numbers of requests.
	Running int `json:"running"`
	Waiting int `json:"waiting"`
	// Preemptions counts from the making of the engine.
	Preemptions int `json:"preemptions"`
	// KVUse is the share of the KV cache in use.
	KVUse float64 `json:"kv_use"`
}

// LatencyPass is one pass of a point on an engine with statistics.
type LatencyPass struct {
	workload.PointID
	// Pass counts a point's passes from 1.
	Pass int `json:"pass"`
	// Engine is the number of the engine that ran it.
	Engine int `json:"engine"`
	// Elapsed is the time of LLM.generate alone.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Ledger accounts for the requests.
	Ledger Ledger `json:"ledger"`
	// Requests are the times of each request.
	Requests []RequestTimes `json:"requests"`
	// Counters are the scheduler's counts over time.
	Counters []Counters `json:"counters,omitempty"`
	// Usage is what the machine did meanwhile.
	Usage Usage `json:"usage"`
}

// Goodput are the limits that a request must keep to count; 0 means no limit.
type Goodput struct {
	TTFT time.Duration `json:"ttft_ns,omitempty"`
	TPOT time.Duration `json:"tpot_ns,omitempty"`
	E2E  time.Duration `json:"e2e_ns,omitempty"`
}
