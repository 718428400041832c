// Package bench runs benchmarks of offline inference: it warms an engine up, measures points in
// rounds until their medians are known well enough, checks every output, and writes all that into a
// journal.
//
// It knows engines by the interface [Engine] only. Package vllm in this directory gives it vLLM,
// with a process for each engine, and is what most programs want. The packages in order of the
// data:
//
//	workload   what is measured: studies, points, requests
//	stat       medians, intervals, tests, and the rule for stopping
//	journal    what a run records
//	bench      the run, which writes the journal
//	vllm       the run on vLLM
//	report     tables, plots, findings and comparisons, made from journals alone
//	race       vllmgo against plain Python, vLLM's HTTP server and vllm bench throughput
//
// # A run
//
//	studies, err := workload.Preset("quick")
//	…
//	err = bench.Run(ctx, bench.Settings{Dir: "results/now", Studies: studies, Open: open, …})
//	results, err := report.Read("results/now")
//	err = results.WriteReport(os.Stdout)
//
// Points with equal engine settings share an engine, over all studies. Each engine is closed before
// the next opens. A point that fails is in the journal with its reason, and the run goes on. A run
// that was stopped goes on with Settings.Resume.
//
// # What is timed
//
// The time of a trial is [vllmgo.Generation].Elapsed: that of vLLM's LLM.generate alone, from the
// call to its return, with detokenization unless the engine has no tokenizer. The journal also has
// the time for loading the model, and the time of the Go call outside LLM.generate. All requests
// return together, so the time of a batch is also the latency of each request for the caller.
//
// Run warms a point up with one request and up to five passes of its full shape, until times are
// stable. Then it runs trials in rounds, one of every point in random order; [stat.Stopping]
// decides when they end. No prompt of a warm-up is in another pass.
//
// # Metrics
//
//	generated tok/s = requests · output length / elapsed
//	total tok/s     = requests · (input length + output length) / elapsed
//
// In results, elapsed is the median of the point's trials; see [stat.Estimate] for its interval.
//
// # What is checked
//
// Every pass is compared with what was sent and asked for: the number of outputs, each prompt as
// the engine saw it, the number of generated tokens, the finish reason, and that the prefix cache
// served nothing, unless the point switches it on. A difference fails the point.
//
// # Soak tests
//
// [Soak] sends very many requests through an engine in one sequence, and records throughput and
// memory over time.
package bench
