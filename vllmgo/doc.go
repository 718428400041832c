// Package vllmgo runs vLLM's offline engine, the Python class vllm.LLM, inside a Go program.
//
//	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: "facebook/opt-125m"})
//	…
//	defer llm.Close()
//	g, err := llm.Generate(ctx, vllmgo.Texts("The capital of France is"), vllmgo.SamplingParams{MaxTokens: 8})
//	…
//	fmt.Println(g.Outputs[0].Outputs[0].Text)
//
// # Settings
//
// [EngineArgs] and [SamplingParams] carry vLLM's own names. A zero value means vLLM's default; a field whose
// zero means something is a pointer. Wrong settings are errors before anything is loaded.
//
// # Python
//
// The first call finds a Python that has vLLM, as pyembed.Locate describes, and starts it in the process, for
// the process's life. Its environment gets VLLM_WORKER_MULTIPROC_METHOD=spawn and, unless they are set,
// VLLM_NO_USAGE_STATS=1 (no usage statistics are sent) and VLLM_LOGGING_STREAM=ext://sys.stderr (stdout stays
// the program's; [SetLogger] sends the log elsewhere). VLLM_LOGGING_LEVEL=WARNING makes vLLM quieter.
//
// # Concurrency and cancellation
//
// An [LLM] may be used from any goroutine. It lives on an OS thread of its own, and calls share it:
//
//   - [LLM.Generate] alone on the engine is one call of vLLM's LLM.generate, as in Python.
//   - Streams, and calls of Generate that overlap, are merged into one continuous batch by a step loop. A call that
//     began alone goes over to it between two steps when another comes. Calls take turns in giving the engine
//     requests, at most twice as many as it runs at once; the rest waits in its goroutine.
//   - [LLM.GenerateSeq] is many such calls, as many as the engine can have, for more prompts than memory holds.
//   - Everything else ([LLM.Embed], [LLM.BeamSearch], [LLM.LoadLoRA], …) has the engine for itself: it waits until
//     the calls before it have ended, and calls after it wait for it. [LLM.Metrics] and [LLM.Tokenizer] wait for
//     nobody.
//
// When the context of a call ends, the engine drops the call's requests after the step that it is in; others do not
// notice, and the engine can be used as before. A program has no goroutine of the package's while nothing runs,
// but for one that reads vLLM's log.
//
// # Processes and memory
//
// With [OwnProcess], vLLM's default and vllmgo's on a GPU, the engine runs in child processes. [LLM.Close]
// ends them and waits; if the program ends in any other way, SIGKILL included, the kernel ends them. With
// [InProcess], the engine shares the Go process; one such engine can be open at a time.
//
// Python's garbage collector leaves out what exists when an engine has loaded (gc.freeze), until one is closed, and does
// not run while a Generate is alone on its engine: its walks would hold up the steps. That holds for all Python in
// the process. What nothing refers to any more is freed all the same, cycles after the generation.
//
// # Errors
//
// [ErrModelNotFound], [ErrNoVLLM], [ErrOutOfMemory], [ErrEngineDead] and [ErrClosed] can be told apart with
// errors.Is. An exception of Python's is reachable with errors.As as a *pyembed.Error, traceback included.
package vllmgo
