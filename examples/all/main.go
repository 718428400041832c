// Command all measures all three sweeps: batch size, sequence length and request count.
//
// Run it with -h for its flags.
package main

import (
	"vllmgo/bench/workload"
	"vllmgo/internal/cli"
)

func main() { cli.Main(string(workload.BatchSize), string(workload.SequenceLength), string(workload.RequestCount)) }
