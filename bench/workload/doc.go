// Package workload describes what a benchmark measures: studies, their points, and the requests of
// each point.
//
// # Studies
//
// A [Study] is a sweep. Its points differ in one thing and share all else. [Preset] returns the
// studies of the notebook and of vLLM's own benchmarks; [NewStudy] makes one of any settings:
//
//	base := workload.Point{Requests: 32, InputLen: 128, OutputLen: 64}
//	axis, err := workload.ParseAxis("max_num_seqs=8,16,32")
//	…
//	study, err := workload.NewStudy("limits", base, axis)
//
// A [Point] is a number of requests that are submitted at once, with the length of each and the
// point's own settings. Lengths are fixed, drawn from a [Distribution], or read from a file of real
// requests.
//
// # Requests
//
// [Requests] draws prompts of exactly the lengths that are asked for: token IDs from a [Vocabulary]
// without special tokens or, with a [Tokenizer], texts that encode to exactly so many tokens. All
// prompts of a pass differ. Equal seeds give equal prompts, on any machine; their [TokenHash] shows
// it.
package workload
