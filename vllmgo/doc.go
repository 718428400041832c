// Package vllmgo runs vLLM's offline engine, the Python class vllm.LLM, inside a Go program.
//
//	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: "facebook/opt-125m"})
//	…
//	defer llm.Close()
//	g, err := llm.Generate(ctx, vllmgo.Texts("The capital of France is"), vllmgo.Greedy(8))
//	…
//	fmt.Println(g.Outputs[0].Outputs[0].Text)
//
// # Settings
//
// [EngineArgs], [SamplingParams], [PoolingParams] and [BeamSearchParams] have the names that vLLM
// uses. A zero field means vLLM's default. A field whose zero has another meaning is a pointer. The
// field Extra takes every other argument by its Python name. Wrong settings are errors before
// anything is loaded.
//
// # Prompts
//
// A [Prompt] is a text, token IDs or a conversation. It can have its own sampling parameters, a
// LoRA adapter, a priority, and more:
//
//	prompts := []vllmgo.Prompt{
//		{Text: "The capital of France is"},
//		{Chat: &chat, Params: &vllmgo.SamplingParams{MaxTokens: 256, Seed: new(1)}},
//	}
//	g, err := llm.Generate(ctx, prompts, vllmgo.Greedy(8))
//
// Text must be valid UTF-8, everywhere: in prompts, conversations and parameters. Values that
// become JSON, such as tools and schemas, keep the order of structs and of json.RawMessage. The
// keys of a Go map are in alphabetical order. [SchemaOf] makes a JSON schema from a Go type.
//
// # Concurrency and cancellation
//
// Any goroutine may use an [LLM]. The engine lives on its own OS thread, and calls share it:
//
//   - A Generate that is the only call is one call of vLLM's LLM.generate, as in Python.
//   - Streams, and calls of Generate that overlap, are merged into one continuous batch. A call
//     that began alone joins it between two steps of the engine.
//   - [LLM.GenerateSeq] is many such calls, for more prompts than memory holds.
//   - Embed, Encode, Classify and Score from several goroutines are merged as well.
//   - Every other method ([LLM.BeamSearch], [LLM.LoadLoRA], …) is alone on the engine: it waits for
//     the calls before it, and calls after it wait for it. [LLM.Metrics] and [LLM.Tokenizer] wait
//     for nobody.
//
// Calls do not hurt each other. What is wrong with one call's input, adapter or context ends that
// call alone. Calls take turns, and the first request of a late call runs within a few steps,
// whatever the engine has to do: requests that have not begun go back to their callers' queues, and
// if the engine is full, so do the newest of the largest call, which begin again later. On a CPU,
// requests with and without a LoRA adapter take turns too, since vLLM computes a mixed batch wrong
// there.
//
// When the context of a call ends, the engine drops the call's requests after its current step. A
// call waits at most five seconds for that step. [LLM.Close] waits ten, and then kills the engine's
// processes.
//
// # Many engines
//
// With [EngineArgs].DataParallelSize above 1, an LLM has so many engines, its replicas, each with a
// copy of the model and in a Python process of its own. One engine keeps a GPU busy only when the
// model is large: vLLM's front end and engine core are one Python process each. All methods are the
// same:
//
//   - A call goes to the replica with the fewest unfinished prompts. Generate, Encode, Classify,
//     Score and BeamSearch divide their prompts. When Generate has more of them than the engines
//     run at a time, replicas take further ones as some end. Prompts with priorities are all
//     given at once, and each engine orders its own.
//   - Methods that concern the engine itself, such as [LLM.LoadLoRA] and [LLM.Sleep], reach all
//     replicas. [LLM.Metrics] adds them up.
//   - Replica i has the seed Seed + i, so that equal prompts get samples of their own. With a
//     seed in SamplingParams, it makes no difference which replica completes a prompt. Greedy
//     outputs are those of one engine that is given the same batches: in bfloat16 and float16,
//     the size of a batch changes the order of sums, and with it a token now and then.
//   - When a replica dies, prompts that it had not completed run on others, and a note is logged.
//     The replica is started again, three times within ten minutes at most. Two kinds of calls
//     end with [ErrEngineDead] all the same: a stream that has begun, and a method of all
//     replicas. A call of which two replicas died runs alone on a third, and ends with an error
//     if that dies, too. When no replica is left, all calls end with ErrEngineDead.
//
// On GPUs, each replica gets TensorParallelSize × PipelineParallelSize of its own while there are
// any. Further ones share them, and have GPUMemoryUtilization or KVCacheMemoryBytes together. On a
// CPU, the cores are divided. [Info].Placement says who has what. Engines that share a GPU take
// turns on it, unless NVIDIA's Multi-Process Service runs (nvidia-cuda-mps-control -d).
//
// # Python
//
// The first call finds a Python that has vLLM, as pyembed.Locate describes, and starts it in the
// process, for the process's life. Starting Python and importing vLLM take seconds. They are never
// interrupted: when the context of a call ends, the call returns, and the import goes on and serves
// the next call.
//
// The environment gets VLLM_WORKER_MULTIPROC_METHOD=spawn and PYTHONSAFEPATH=1 (processes of vLLM
// import nothing from the working directory). Unless they are set, it also gets
// VLLM_NO_USAGE_STATS=1 (no usage statistics are sent) and VLLM_LOGGING_STREAM=ext://sys.stderr
// (stdout stays the program's; [SetLogger] sends the log elsewhere). VLLM_LOGGING_LEVEL=WARNING
// makes vLLM quieter. What os.Setenv changes holds for the next engine.
//
// # Processes and memory
//
// With one engine and [OwnProcess], vLLM's default and vllmgo's on a GPU, the engine runs in child
// processes. [LLM.Close] ends them and waits. If the program ends in any other way, SIGKILL
// included, the kernel ends them. With [InProcess], the engine shares the Go process; one such
// engine can be open at a time. Replicas are in processes of their own in any case, and with
// OwnProcess each has its engine in yet another one. Each engine has a private folder for sockets
// and temporary files, which Close removes. The next engine removes those of programs that ended
// without Close.
//
// While an engine is open, Python's garbage collector leaves out the objects that existed when it
// had loaded (gc.freeze), and it does not run while a Generate is alone on the engine: its walks
// would delay the steps. This holds for all Python in the process. Objects without references are
// freed as usual, and cycles after the generation.
//
// # Errors
//
// [ErrModelNotFound], [ErrNoVLLM], [ErrOutOfMemory], [ErrEngineDead] and [ErrClosed] can be told
// apart with errors.Is. A Python exception is a *pyembed.Error for errors.As, with its traceback.
// The error of a call with several prompts names the prompt by its index.
package vllmgo
