package vllmgo

// engine is one vllm.LLM with engine.py around it: an [embedded] one in this process, or a
// [remote] one in a process of its own.
type engine interface {
	// hold runs fn, which may call methods of the engine meanwhile. One goroutine holds an engine
	// at a time.
	hold(fn func(c caller) error) error
	// meanwhile calls a method that may run while others do, and converts its result.
	meanwhile(result any, method string, args ...any) error
	// kill kills the engine's processes. Calls of its methods then end with errors.
	kill()
	// close ends the engine and waits for that.
	close() error
}

// caller calls methods of an engine that is held.
type caller interface {
	// call calls a method of engine.py and converts its result to result, a pointer, unless that is
	// nil. Arguments are nil, integers, strings, bytes, slices and maps of those, structs, and a
	// reportFunc.
	call(result any, method string, args ...any) error
}

// reportFunc is told of a generation's progress: requests that have finished, and tokens so far.
// Nil means that nobody asks.
type reportFunc func(finished, tokens int)
