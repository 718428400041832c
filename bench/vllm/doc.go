// Package vllm measures studies on vLLM itself. It prepares what package bench needs: the model,
// the engine's settings, the vocabulary, the limits of the device, and a process for each engine.
//
//	studies, err := workload.Preset("quick")
//	…
//	err = vllm.Run(ctx, vllm.Settings{
//		Dir:        "results/now",
//		EngineArgs: vllmgo.EngineArgs{Model: "facebook/opt-125m"},
//		Studies:    studies,
//		Progress:   os.Stderr,
//	})
//	results, err := report.Read("results/now")
//
// # A process for each engine
//
// [Run] starts the program again, with the same arguments, for each engine. In such a process, Run
// measures the points of one engine and ends the process. A program must therefore call Run with
// equal settings each time it is started with equal arguments, and should do little before. It must
// call Run once: for a second run, start the program with other arguments. In
// return, the crash of an engine loses only the current point. Each engine gets a process with the
// environment variables that its points ask for.
//
// All processes end with the one that the user started. Unless VLLM_LOGGING_LEVEL is set, vLLM logs
// warnings only.
package vllm
