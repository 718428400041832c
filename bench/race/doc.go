// Package race runs the same requests through vLLM in several ways and compares their speed.
//
// # Contenders
//
// A [Contender] is one of these ways with its settings. Its [Kind] is vllmgo, plain Python, a Go
// client of vLLM's HTTP server, or vLLM's own throughput benchmark. Each contender is a process, so
// none shares memory or threads with another. Most kinds load their engine once and keep it; a
// process of the throughput benchmark measures one point and ends. While one contender works, all
// others are stopped. The race sends a contender's process JSON lines on its standard input, which
// ask for an engine and then for passes. The process answers each on file descriptor 3.
//
// # Rounds
//
// Points with the same engine settings form a group, and the groups are raced one after the other.
// In each round every contender measures every point of the group once, in random order. So
// whatever changes with time changes all contenders alike, and the rates of one round can be
// compared. All contenders get the same prompts, apart from the throughput benchmark, which draws
// its own and takes part in the first rounds only. Two untimed passes of each point come first.
//
// Each contender normally has one engine for all rounds of a group. But two engines of the same
// contender can differ in speed, for instance by the memory that they happen to get, and the
// intervals exclude this variation. With [Settings].Reload all contenders are therefore loaded for
// each round, and each is loaded first equally often, because the place in this order matters too.
//
// # Journal
//
// [Run] appends what it learns to a journal, race.jsonl, and [NewResult] computes all figures from
// the journal alone. The journal has one JSON object a line: first a [Header] with the schema,
// which is 1, then a [Loaded] for each engine, a [Trial] for each measured pass and a [Failure] for
// each contender that dropped out. Each line is on disk before the race goes on. A crash therefore
// costs at most the last line, which [ReadJournal] leaves out when it is damaged.
//
// A race that was interrupted is continued by the same call of Run. It measures only what the
// journal does not have, and tries contenders that failed again. Rounds can be added in this way.
// If any other setting or the machine differs, Run returns an error.
package race
