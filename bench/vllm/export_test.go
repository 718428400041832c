package vllm

// What tests outside the package look at.
const WorkerVariable = workerVariable

var (
	Size          = size
	Supervise     = supervise
	SetDefaultEnv = setDefaultEnv
)

// Crash returns a crash.
func Crash(how string) error { return crash{how} }
