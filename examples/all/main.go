// Command all measures all three sweeps: batch size, sequence length and request count.
//
// Run it with -h for its flags.
package main

import (
	"vllmgo/bench/workload"
	"vllmgo/internal/cli"
)

func main() { cli.Main(workload.BatchSize, workload.SequenceLength, workload.RequestCount) }
