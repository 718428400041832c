// Package bench measures how fast vLLM generates text offline, from Go: synthetic requests of exact
// lengths, sweeps over one parameter, tables, plots, and a report that names the rows it rests on.
//
// It talks to the engine through the interface [Engine], which *vllmgo.LLM satisfies, and knows nothing of
// Python. Its own tests run on a fake engine in milliseconds.
//
// # A run
//
// A [Study] is a sweep: points that differ in one value. [Preset] gives the three studies, [Run] measures
// them and appends what it learns to a journal, one line at a time:
//
//	studies, err := bench.Preset("quick")
//	…
//	err = bench.Run(ctx, bench.Settings{Dir: "results/now", Studies: studies, Open: open, …})
//	journal, err := bench.ReadJournalFile("results/now/journal.jsonl")
//	err = bench.WriteFiles("results/now", bench.NewResults(journal))
//
// Tables, plots, files and the report are made from the journal alone, so they can be made again. Points
// with equal engine settings share one engine, over all studies; each engine is closed before the next
// opens. A point that fails is a row with its reason, and the run goes on.
//
// # What is timed
//
// Points that share an engine are first warmed up, each with one request and then with passes of its full shape until
// times are stable. Then come rounds of trials, one of every point in random order; see [Stopping] for their end.
// Each pass has prompts of its own.
//
// The time of a trial is [vllmgo.Generation.Elapsed]: vLLM's LLM.generate alone, from the call to its
// return, detokenization included unless the engine has no tokenizer. Loading the model is recorded apart,
// and so is the time that the Go call took outside LLM.generate.
//
// LLM.generate returns all requests at once, so the time of a batch is also the latency that each of its
// requests had for the caller.
//
// # Metrics
//
//	generated tok/s = requests · output length / elapsed
//	total tok/s     = requests · (input length + output length) / elapsed
//
// elapsed is the median of the point's trials; see [Median] for its interval.
//
// # What is checked
//
// Every pass is verified: the number of outputs, the prompt that the engine saw against the one that was
// sent, the number of generated tokens, the finish reason, and that the prefix cache served nothing. A
// mismatch fails the point; it is never a warning.
package bench
