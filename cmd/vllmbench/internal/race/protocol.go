package race

import (
	"time"

	"vllmgo/vllmgo"
)

// A contender's process reads lines of JSON from its standard input, a start and then passes, and answers each with one
// on file descriptor 3. It ends when its input does. contender.py has the same.

// start tells a contender what engine to load.
type start struct {
	Args vllmgo.EngineArgs `json:"args"`
	Mode vllmgo.EngineMode `json:"mode"`
	// Detokenize says whether outputs are to have texts.
	Detokenize bool `json:"detokenize"`
}

// pass is a number of requests to run at once.
type pass struct {
	Prompts    [][]int32 `json:"prompts"`
	OutputLens []int     `json:"output_lens"`
}

// answer says what came of a start or a pass.
type answer struct {
	// Error is why it failed.
	Error string `json:"error,omitempty"`
	// Versions are those of vLLM, torch and Python, after a start, as far as the contender knows them.
	Versions string `json:"versions,omitempty"`
	// Wall is the time from handing the prompts over to having all outputs, as the contender's user sees it.
	Wall time.Duration `json:"wall_ns,omitempty"`
	// Elapsed is the time of LLM.generate alone, when the contender knows it.
	Elapsed time.Duration `json:"elapsed_ns,omitempty"`
	// InputTokens and OutputTokens are what the engine says it saw and generated.
	InputTokens  int `json:"input_tokens,omitempty"`
	OutputTokens int `json:"output_tokens,omitempty"`
	// OutputsSHA256 is the SHA-256 of all generated token IDs, when the contender has them.
	OutputsSHA256 string `json:"outputs_sha256,omitempty"`
}

// replies is the file descriptor of answers.
const replies = 3
