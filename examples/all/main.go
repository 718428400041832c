// Command all measures all three sweeps: batch size, sequence length and request count.
//
// Run it with -h for its flags.
package main

import (
	"vllmgo/bench"
	"vllmgo/internal/cli"
)

func main() { cli.Main(bench.BatchSize, bench.SequenceLength, bench.RequestCount) }
