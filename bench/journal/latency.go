package journal

import (
	"time"

	"vllmgo/bench/workload"
)

// RequestTimes are the times of one request. Each is the difference of two readings of one clock.
type RequestTimes struct {
	// Queue is the time from when the engine took the request in until it was first scheduled.
	Queue time.Duration `json:"queue_ns"`
	// TTFT is the time from arrival to the first token.
	TTFT time.Duration `json:"ttft_ns"`
	// E2E is the time from arrival to the last token.
	E2E time.Duration `json:"e2e_ns"`
	// ITL are the times between the steps that gave tokens (inter-token latencies).
	ITL []time.Duration `json:"itl_ns"`
}

// Counters are the counts of a scheduler at one moment.
type Counters struct {
	// At is the time since the pass began.
	At time.Duration `json:"at_ns"`
	// Running and Waiting are numbers of requests.
	Running int `json:"running"`
	Waiting int `json:"waiting"`
	// Preemptions counts all preemptions since the engine was made.
	Preemptions int `json:"preemptions"`
	// KVUse is the share of the KV cache in use, from 0 to 1.
	KVUse float64 `json:"kv_use"`
}

// LatencyPass is a pass of a point in an engine with statistics.
type LatencyPass struct {
	workload.PointID
	// Pass counts a point's passes from 1.
	Pass int `json:"pass"`
	// Engine is the number of the engine.
	Engine int `json:"engine"`
	// Elapsed is the time of LLM.generate alone.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Ledger accounts for the requests.
	Ledger Ledger `json:"ledger"`
	// Requests are the times of each request.
	Requests []RequestTimes `json:"requests"`
	// Counters are the scheduler's counts over time.
	Counters []Counters `json:"counters,omitempty"`
	// Usage is what the machine did during the pass.
	Usage Usage `json:"usage"`
}

// Goodput has the limits that a request must keep to count as good. 0 means no limit.
type Goodput struct {
	TTFT time.Duration `json:"ttft_ns,omitempty"`
	TPOT time.Duration `json:"tpot_ns,omitempty"`
	E2E  time.Duration `json:"e2e_ns,omitempty"`
}
