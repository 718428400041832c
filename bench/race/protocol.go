package race

import (
	"time"

	"vllmgo/vllmgo"
)

// A contender's process reads lines of JSON from its standard input: one start, then passes. It
// answers each with a line of JSON on file descriptor 3. It ends when its input does. contender.py
// is the same protocol in Python.

// start is the request to load an engine.
type start struct {
	Args vllmgo.EngineArgs `json:"args"`
	Mode vllmgo.EngineMode `json:"mode"`
	// Detokenize is true when outputs need texts.
	Detokenize bool `json:"detokenize"`
}

// pass is the request to run requests, all at once.
type pass struct {
	Prompts    [][]int32 `json:"prompts"`
	OutputLens []int     `json:"output_lens"`
}

// answer reports the outcome of a start or of a pass.
type answer struct {
	// Error is the reason of a failure; empty if there was none.
	Error string `json:"error,omitempty"`
	// Versions are the versions of vLLM, torch and Python. The answer to a start has them if the
	// contender knows them.
	Versions string `json:"versions,omitempty"`
	// Wall is the time from handing the prompts over until all outputs are there, as the
	// contender's user sees it.
	Wall time.Duration `json:"wall_ns,omitempty"`
	// Elapsed is the time of LLM.generate alone, if the contender knows it.
	Elapsed time.Duration `json:"elapsed_ns,omitempty"`
	// InputTokens and OutputTokens are the numbers of tokens that the engine saw and generated.
	InputTokens  int `json:"input_tokens,omitempty"`
	OutputTokens int `json:"output_tokens,omitempty"`
	// OutputsSHA256 is a hash of all generated token IDs, if the contender has them; see
	// [workload.TokenHash].
	OutputsSHA256 string `json:"outputs_sha256,omitempty"`
}

// replies is the file descriptor for answers.
const replies = 3
