package journal

import (
	"time"

	"vllmgo/bench/workload"
)

// Failure is something that did not work. With a point, the point has no further trials; without one, it concerns the
// engine as a whole.
type Failure struct {
	// Engine is the number of the engine.
	Engine int `json:"engine"`
	// Point is what was to be measured; nil when an engine did not close properly.
	Point *workload.PointID `json:"point,omitempty"`
	// Trial is the trial's number; 0 when it failed before the first, as when the engine did not open.
	Trial int `json:"trial,omitempty"`
	// Latency says that it is about the point's latencies; its throughput may be measured all the same.
	Latency bool `json:"latency,omitempty"`
	// Check is the name of the check that failed, such as [CheckCounts]; empty when it was no check.
	Check string `json:"check,omitempty"`
	// Reason is the error.
	Reason string `json:"reason"`
}

// Record is one line of the journal's file: exactly one member is set.
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

// Begin is something that begins: the loading of an engine, with the points that need it, or a point's warm-up or trial.
type Begin struct {
	Engine int                `json:"engine"`
	Points []workload.PointID `json:"points"`
	// Trial is the trial's number; 0 when a warm-up or an engine begins.
	Trial int `json:"trial,omitempty"`
	// Latency says that it is about latencies.
	Latency bool `json:"latency,omitempty"`
}

// End is the end of a run.
type End struct {
	At time.Time `json:"at"`
}
