package journal

import (
	"time"

	"vllmgo/bench/workload"
)

// Record is one line of a journal. Exactly one member is set.
type Record struct {
	Header  *Header           `json:"header,omitempty"`
	Engine  *Engine           `json:"engine,omitempty"`
	WarmUp  *WarmUp           `json:"warm_up,omitempty"`
	Trial   *Trial            `json:"trial,omitempty"`
	Failure *Failure          `json:"failure,omitempty"`
	Latency *LatencyPass      `json:"latency,omitempty"`
	Limits  *Limits           `json:"limits,omitempty"`
	Begin   *Begin            `json:"begin,omitempty"`
	Done    *workload.PointID `json:"done,omitempty"`
	End     *End              `json:"end,omitempty"`
}

// Failure is something that failed. A point that failed has no more trials.
type Failure struct {
	// Engine is the number of the engine.
	Engine int `json:"engine"`
	// Point is the point that failed; nil when the engine did not close.
	Point *workload.PointID `json:"point,omitempty"`
	// Trial is the number of the trial; 0 when the point failed before its first trial, as when the
	// engine did not open.
	Trial int `json:"trial,omitempty"`
	// Latency is true when the point's latencies failed. Its throughput may be measured all the
	// same.
	Latency bool `json:"latency,omitempty"`
	// Check is the name of the check that failed, such as [CheckCounts]; empty when the failure is
	// an error.
	Check string `json:"check,omitempty"`
	// Reason is the error's text.
	Reason string `json:"reason"`
}

// Begin is something that begins: the loading of an engine, or a point's warm-up or trial.
type Begin struct {
	Engine int `json:"engine"`
	// Points are the points that need the engine, or the one point that is measured.
	Points []workload.PointID `json:"points"`
	// Trial is the number of the trial; 0 when a warm-up or an engine begins.
	Trial int `json:"trial,omitempty"`
	// Latency is true when latencies are measured.
	Latency bool `json:"latency,omitempty"`
}

// End is the end of a run.
type End struct {
	At time.Time `json:"at"`
}
