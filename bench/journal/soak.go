package journal

import (
	"time"
)

// SoakWindow is a part of a soak test.
type SoakWindow struct {
	// Requests is the number of requests that have ended since the test's start.
	Requests int `json:"requests"`
	// Elapsed is the window's time, and the tokens are those of the requests that ended in it.
	Elapsed      time.Duration `json:"elapsed_ns"`
	InputTokens  int           `json:"input_tokens"`
	OutputTokens int           `json:"output_tokens"`
	// GoHeap is the memory of Go's objects at the window's end, just after a garbage collection. Process is the resident
	// memory of this process, Go, Python and all, and Children that of its descendants, such as vLLM's engine core.
	GoHeap   int64 `json:"go_heap_bytes"`
	Process  int64 `json:"process_bytes"`
	Children int64 `json:"children_bytes"`
}
